"""The tools: one class, one verb each, and the function that registers them."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.contrib import admin as django_admin
from django.contrib.auth import get_permission_codename, get_user_model
from fastmcp import FastMCP
from fastmcp.tools import Tool
from mcp_types import Completion, ToolAnnotations
from pydantic import PrivateAttr

from mcp_server.derive.admin import actions, bulk, deleting, describe, listing, reading, writing
from mcp_server.derive.admin.arguments import checked
from mcp_server.derive.admin.bound import Bound, for_lists, unique_names
from mcp_server.derive.admin.callers import caller_key, is_for_reading, most_permitted_user, views
from mcp_server.derive.admin.derived_tool import READ, DerivedTool
from mcp_server.derive.admin.exposure import DEFAULT_EXCLUDE, Exposed, find_exposed, inlines_known, overrides
from mcp_server.derive.admin.find_models import register_find_models
from mcp_server.derive.admin.guards import load_urls
from mcp_server.derive.admin.texts import bulk_arguments, description, parameters, without_database
from mcp_server.derive.provider import derived_of
from mcp_server.derive.registration import add_derived
from mcp_server.derive.requests import Origin
from mcp_server.derive.secrecy import secret_names, without_values_of
from mcp_server.permissions import META_KEY, UnseenError

logger = logging.getLogger(__name__)

Verb = Callable[[Bound, Mapping[str, Any]], Any]
ADD = ToolAnnotations(destructive_hint=False)
CHANGE = ToolAnnotations(destructive_hint=True)

RUN: dict[str, Verb] = {
    "describe": describe.describe,
    "list": listing.list_rows,
    "get": reading.get_row,
    "create": writing.create,
    "update": writing.update,
    "delete": deleting.delete,
    "bulk": bulk.bulk,
    "actions": actions.list_actions,
    "action": actions.run_action,
    "related": reading.related_rows,
    "history": reading.history,
    "autocomplete": reading.autocomplete,
}
NEEDS = {"create": ["add"], "update": ["change"], "delete": ["delete"], "bulk": ["add", "change", "delete"]}
# The pages of the admin that show what a verb tells; those that write are looked after with their permission.
PAGES = {
    **dict.fromkeys(("list", "autocomplete", "actions", "action"), ("changelist",)),
    **dict.fromkeys(("get", "related"), ("change",)),
    "history": ("history",),
    "describe": ("changelist", "change", "add"),
}
INLINE_HOOKS = ("get_inlines", "get_inline_instances")
SAME_FOR_ALL = ("describe", "delete", "actions", "history", "autocomplete")


class AdminTool(DerivedTool):
    """One verb on one model of an admin site."""

    _exposed: Exposed = PrivateAttr()
    _verb: str = PrivateAttr()
    _secrets: set[str] | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, bound: Bound, verb: str) -> "AdminTool":
        """Build the tool as this user has it: the registered one for the most permitted, listed ones for the caller."""
        reading_only = verb not in NEEDS and verb != "action"
        tool = cls(
            name=bound.exposed.tool_name(verb),
            description=description(bound, verb),
            parameters=parameters(bound, verb),
            output_schema={"type": "object"},
            annotations=READ if reading_only else ADD if verb == "create" else CHANGE,
        )
        tool._exposed, tool._verb = bound.exposed, verb
        return tool

    @property
    def exposed(self) -> Exposed:
        return self._exposed

    def for_audit(self, arguments: Mapping[str, Any]) -> Any:
        """Return what the audit may keep: not what goes into fields of a kind that keeps secrets."""
        own = self._exposed
        # A row of a special kind may be left to the ModelAdmin of its kind.
        kinds = [kind.model_admin for model, kind in own.peers.items() if issubclass(model, own.model)]
        admins = [own.model_admin, *kinds]
        # A hook may name other inlines than it did before.
        varies = any(overrides(type(admin), django_admin.ModelAdmin, INLINE_HOOKS) for admin in admins)
        if self._secrets is None or varies:
            inlines = [inline for admin in admins for inline in inlines_known(admin)]
            self._secrets = (self._secrets or set()) | secret_names([*admins, *inlines])
        return without_values_of(self._secrets, arguments)

    @property
    def opens(self) -> str:
        """The model, where it is one that is left out by default."""
        opts = self._exposed.model._meta
        is_sensitive = opts.app_label in DEFAULT_EXCLUDE or self._exposed.model is get_user_model()
        return str(opts.label) if is_sensitive else ""

    @property
    def verb(self) -> str:
        return self._verb

    def meta_for_clients(self) -> Mapping[str, Any]:
        opts = self._exposed.model._meta
        verbs = NEEDS.get(self._verb, ["view"])
        names = [f"{opts.app_label}.{get_permission_codename(verb, opts)}" for verb in verbs]
        # Any of several is enough for bulk; which of them, each row decides.
        return {META_KEY: {"permissions": names, "object_rule": self._exposed.has_row_rules}}

    def visible_to(self, user: Any) -> bool:
        return self._shown(for_lists(self._exposed, user))

    def _shown(self, bound: Bound) -> bool:
        try:
            return bool(self._exposed.site.has_permission(bound.request)) and self._allowed(bound)
        except Exception:
            # One ModelAdmin that cannot answer must not cost everybody the whole list.
            logger.exception("%s is hidden: its ModelAdmin could not say who may use it", self.name)
            return False

    def seen_by(self, user: Any) -> "AdminTool":
        """Return the tool with the arguments this caller may use; remembered for a minute."""
        if self._verb in SAME_FOR_ALL:
            return self
        make = lambda: self.of(for_lists(self._exposed, user), self._verb)  # noqa: E731
        seen: AdminTool = views.get((self.name, self._exposed, caller_key(user)), make)
        return seen

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        # Wherever a row is named by its id, sku="SKU0043" says the same as id="SKU0043".
        also = unique_names(self._exposed.model) if "id" in self.parameters.get("properties", {}) else ()
        schema = self.parameters
        if self._verb == "bulk":
            # An operation that nobody here has is refused with its reason, not by its arguments.
            schema = {**schema, "properties": bulk_arguments(self._exposed.noun, list(bulk.OPERATIONS))}
        return checked(schema, arguments, also)

    def complete(self, user: Any, argument: str, value: str, given: Mapping[str, str]) -> Completion:
        """Return rows that the beginning of an argument may mean: of this model, or of a foreign key."""
        from mcp_server.derive.admin.completion import complete_tool  # needs this module

        return complete_tool(self._exposed, user, argument, value)

    def _allowed(self, bound: Bound) -> bool:
        admin, request = bound.admin, bound.request
        if needed := NEEDS.get(self._verb):
            return any(getattr(admin, f"has_{verb}_permission")(request) for verb in needed)
        if not bound.has_page(*PAGES[self._verb]):
            return False
        sees = bool(admin.has_view_or_change_permission(request))
        if self._verb == "describe":
            return sees or bool(admin.has_add_permission(request))
        if self._verb in ("action", "actions"):
            # An action may write whatever it likes: a token for reading runs none, so there is none to list.
            return sees and not is_for_reading(bound.user) and bool(actions.offered(bound))
        return sees and (self._verb != "related" or reading.has_relations(bound))

    def call(self, user: Any, origin: Origin, arguments: Mapping[str, Any]) -> Any:
        bound = Bound(self._exposed, user, origin)
        if not self._shown(bound):
            raise UnseenError
        return RUN[self._verb](bound, self.checked(arguments))


def register_admin_tools(
    mcp: FastMCP[Any],
    site: Any = None,
    *,
    direct: bool = True,
    include: Iterable[Any] | None = None,
    exclude: Iterable[Any] = DEFAULT_EXCLUDE,
) -> list[str]:
    """Register tools for every model of an admin site and return their names.

    `direct=False` makes tools only for models whose ModelAdmin says mcp_expose = True; find_models knows the rest.
    `include` and `exclude` take app labels, "app.model" or model classes; a model that include names for itself is
    opened even where exclude closes it by default.
    """
    site = site or django_admin.site
    others = [tool.exposed for tool in derived_of(mcp).all(Tool) if isinstance(tool, AdminTool)]
    exposed, hidden = find_exposed(site, direct=direct, include=include, exclude=exclude, others=others)
    user = most_permitted_user()
    from mcp_server.derive.admin.beside import register_beside_tools  # its modules need the tools

    load_urls(site)
    with without_database():
        built = {item: tools for item in exposed if (tools := _tools_of(item, user)) is not None}
        exposed = list(built)
        names = add_derived(mcp, [tool for tools in built.values() for tool in tools])
        register_beside_tools(mcp, exposed)
    return names + register_find_models(mcp, exposed, hidden)


def _tools_of(exposed: Exposed, user: Any) -> list[AdminTool] | None:
    try:
        bound = for_lists(exposed, user)
        return [AdminTool.of(bound, verb) for verb in exposed.verbs]
    except Exception:
        # One ModelAdmin that cannot be described must not keep the whole server from starting.
        logger.exception("%s gets no tools: its ModelAdmin could not be described", exposed.label)
        return None
