"""Which models of an admin site become tools, and what they are called."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_permission_codename, get_user_model
from django.db.models import Model

from mcp_server.derive.secrecy import blind_fields, is_secret
from mcp_server.permissions import requires

# Who may do what, and who did: tools over these would let a caller widen their own rights or hide their traces.
DEFAULT_EXCLUDE = ("auth", "admin", "sessions", "contenttypes", "tokens", "oauth2_provider")

WRITING = ("create", "update", "delete", "bulk")
VERBS = ("describe", "list", "get", *WRITING, "actions", "action", "related", "history", "autocomplete")

ROW_RULES = ("has_view_permission", "has_change_permission", "has_delete_permission", "get_queryset", "get_object")


class MCPAdminMixin:
    """Says in a ModelAdmin, or an inline, what agents get of it; every attribute may be left out.

    `mcp_expose`: True makes tools, False hides the model, None leaves it to the site's `direct`.
    `mcp_tools`: the verbs to make; bulk does what create, update and delete among them do.
    `mcp_fields`: the only fields tools read and write.
    `mcp_readonly`: True for no writing at all, or the fields tools only read.
    """

    mcp_expose: bool | None = None
    mcp_tools: Sequence[str] | None = None
    mcp_fields: Sequence[str] | None = None
    mcp_readonly: bool | Sequence[str] = False


@dataclass(frozen=True, eq=False)
class Exposed:
    """One model of one admin site as tools know it; `noun` is the last part of their names."""

    site: Any
    model: Any
    model_admin: Any
    noun: str
    peers: "dict[Any, Exposed]" = field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        return str(self.model._meta.label_lower)

    @property
    def verbs(self) -> tuple[str, ...]:
        chosen = getattr(self.model_admin, "mcp_tools", None)
        readonly = getattr(self.model_admin, "mcp_readonly", False) is True
        dropped: Collection[str] = (*WRITING, "actions", "action") if readonly else ()
        if chosen is not None and not {"create", "update", "delete"} & set(chosen):
            # Bulk does what the tools for single rows do, and no more.
            dropped = (*dropped, "bulk")
        return tuple(verb for verb in VERBS if (chosen is None or verb in chosen) and verb not in dropped)

    @property
    def has_row_rules(self) -> bool:
        """Tell whether the ModelAdmin decides about single rows and not about the model alone."""
        return overrides(type(self.model_admin), ModelAdmin, ROW_RULES)

    def meta(self, *needs: str) -> dict[str, Any]:
        """Return what clients can read of who may use a component: those with one of these permissions."""
        return requires(*(permission_to(verb, self.model) for verb in needs), object_rule=self.has_row_rules)

    def tool_name(self, verb: str) -> str:
        return short_name(f"{verb}_{self.noun}")

    def shows(self, name: str) -> bool:
        """Tell whether tools may read this field; secrets never."""
        return not is_secret(name, self.model) and name not in self.blind and is_chosen(self.model_admin, name)

    @cached_property
    def blind(self) -> set[str]:
        return blind_fields(self.model_admin)

    def takes(self, name: str) -> bool:
        """Tell whether tools may write this field, as far as the mixin says."""
        return is_writable(self.model_admin, name)


def inlines_known(admin: Any) -> list[Any]:
    """Return the inlines that a ModelAdmin declares, and those that its hooks name without being asked by anybody."""
    try:
        # On a copy: a hook may keep what it is asked about on its ModelAdmin.
        named = copy(admin).get_inline_instances(None)
    except Exception:
        # Some hooks want to know of whom or of which row.
        return list(admin.inlines)
    return [*named, *(inline for inline in admin.inlines if not any(isinstance(one, inline) for one in named))]


def is_chosen(admin: Any, name: str) -> bool:
    """Tell whether the mixin of a ModelAdmin or inline, if it has it, leaves a field to tools."""
    chosen = getattr(admin, "mcp_fields", None)
    return chosen is None or name in chosen


def is_writable(admin: Any, name: str) -> bool:
    """Tell the same of writing it."""
    readonly = getattr(admin, "mcp_readonly", False)
    return readonly is not True and is_chosen(admin, name) and name not in (readonly or ())


def permission_to(verb: str, model: Any) -> str:
    """Return the name of Django's permission to view, add, change or delete rows of a model."""
    return f"{model._meta.app_label}.{get_permission_codename(verb, model._meta)}"


def overrides(own: Any, base: Any, names: Iterable[str]) -> bool:
    """Tell whether a class of the project has one of these hooks of Django's to itself."""
    return any(getattr(own, name, None) is not getattr(base, name, None) for name in names)


def find_exposed(
    site: Any,
    *,
    direct: bool,
    include: Iterable[Any] | None,
    exclude: Iterable[Any],
    others: Iterable[Exposed] = (),
) -> tuple[list[Exposed], list[Exposed]]:
    """Return the models that become tools and those only find_models knows, both in a fixed order.

    `others` have tools already, whose names these shall not have.
    """
    models = list(_chosen(site, include, exclude))
    tools = [model for model in models if direct or getattr(site._registry[model], "mcp_expose", None)]
    nouns = _nouns(site, tools, {item.noun: (item.site, item.model) for item in others})
    peers: dict[Any, Exposed] = {}
    for model in tools:
        peers[model] = Exposed(site, model, site._registry[model], nouns[model], peers)
    known = [
        Exposed(site, model, site._registry[model], model._meta.model_name) for model in models if model not in peers
    ]
    return list(peers.values()), known


def _chosen(site: Any, include: Iterable[Any] | None, exclude: Iterable[Any]) -> Iterator[Any]:
    """Yield the models that neither the registration nor their ModelAdmin leaves out."""
    wanted, hidden = None if include is None else _names(include), _names(exclude)
    if tuple(exclude) == DEFAULT_EXCLUDE:
        # A project's own user model is as sensitive as Django's; a site that names it in include has chosen.
        hidden |= {get_user_model()._meta.label_lower}
    # A page without a table may be registered as if it were a model; there are no rows to make tools of.
    registered = [model for model in site._registry if issubclass(model, Model)]
    for model in sorted(registered, key=lambda model: model._meta.label_lower):
        names = {model._meta.app_label, model._meta.label_lower}
        is_asked_for = wanted is None or names & wanted
        is_opened = wanted is not None and model._meta.label_lower in wanted
        is_shown = getattr(site._registry[model], "mcp_expose", None) is not False
        if is_shown and is_asked_for and (is_opened or not names & hidden):
            yield model


def short_name(name: str) -> str:
    """Return a name every client takes: at most 64 of A-Z a-z 0-9 _ -."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return safe if len(safe) <= 64 else f"{safe[:55]}_{hashlib.sha256(safe.encode()).hexdigest()[:8]}"


def _nouns(site: Any, models: Sequence[Any], taken: Mapping[str, Any]) -> dict[Any, str]:
    """Return what each model is called: by its name, and with its app and site as far as that tells it from others."""
    count = Counter(model._meta.model_name for model in models)
    nouns = {}
    for model in models:
        app, name = model._meta.app_label, model._meta.model_name
        names = [name] * (count[name] == 1) + [f"{app}_{name}", f"{site.name}_{app}_{name}"]
        # A model that is registered once more finds its own names taken, which is logged.
        nouns[model] = next((noun for noun in names if taken.get(noun, (site, model)) == (site, model)), names[-1])
    return nouns


def _names(choice: Iterable[Any]) -> set[str]:
    return {item.lower() if isinstance(item, str) else item._meta.label_lower for item in choice}
