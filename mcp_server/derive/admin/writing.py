"""Creates and changes rows through the admin's own add and change views."""

from collections.abc import Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.utils.html import format_html
from django.utils.translation import gettext

from mcp_server.derive.admin.ahead import initial_of, page_of, post_inlines_when_asked
from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.changes import (
    inline_outcome,
    is_stored,
    lost,
    new_value,
    same,
    saves_plainly,
    shortened,
    stored,
    with_values,
)
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.form_classes import form_class_of
from mcp_server.derive.admin.forms import Partial
from mcp_server.derive.admin.inlines import formsets_of, inlines_of
from mcp_server.derive.admin.locking import locked
from mcp_server.derive.admin.lookup import find_row, handed
from mcp_server.derive.admin.refusal import FormRefusedError, RefusalError, form_refusal, refused
from mcp_server.derive.admin.request import fill
from mcp_server.derive.admin.rows import cut_json, named
from mcp_server.derive.admin.stand_ins import only, response, without_files
from mcp_server.derive.admin.transactions import transact
from mcp_server.derive.admin.values import label_of, name_of, plain, text_of
from mcp_server.derive.secrecy import HIDDEN

# What the admin itself says of a saved row, by Django's own translations.
OWN_SENTENCES = ("The {name} “{obj}” was added successfully.", "The {name} “{obj}” was changed successfully.")


def create(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the create tool."""
    dry_run = bool(arguments.get("dry_run"))
    work = lambda: create_row(bound, arguments["values"], dry_run=dry_run)  # noqa: E731
    return told(*transact(bound, work, dry_run=dry_run))


def update(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the update tool."""
    dry_run, values = bool(arguments.get("dry_run")), arguments["values"]

    def work() -> tuple[dict[str, Any], Write]:
        row = find_row(bound, arguments)
        return update_row(bound, row, values, dry_run=dry_run)

    return told(*transact(bound, work, dry_run=dry_run))


def told(answer: dict[str, Any], write: "Write") -> dict[str, Any]:
    """Return the answer with all that hooks said, on commit too."""
    return answer | write.said() | ({"dry_run": True} if write.dry_run else {})


def create_row(bound: Bound, values: Mapping[str, Any], *, dry_run: bool) -> "tuple[dict[str, Any], Write]":
    """Add a row; return the answer, which says of a dry run what the row would hold, and the run."""
    write = Write(bound, None, values, dry_run=dry_run)
    row = write.save()
    return {"created": named(bound, row)} | ({"values": write.values_of(row)} if dry_run else {}), write


def update_row(bound: Bound, row: Any, values: Mapping[str, Any], *, dry_run: bool) -> "tuple[dict[str, Any], Write]":
    """Change a row; return the answer and the run, which knows what was said."""
    bound, row = handed(bound, row, "update")
    row = locked(bound, row)
    write = Write(bound, row, values, dry_run=dry_run)
    # Not asked for its label before: what that remembers of the old values would be its name in the log.
    saved = write.save()
    changed = shortened(write.changes(saved))
    answer = {"updated": named(bound, saved), "changed": changed}
    return answer if changed else answer | {"note": "Nothing changed: these were the values already."}, write


class Write:
    """One run of the admin's add or change view, watched: what it saved, what it logged, what it refused."""

    def __init__(self, bound: Bound, row: Any, values: Mapping[str, Any], *, dry_run: bool = False) -> None:
        self.bound, self.row, self.dry_run = bound, row, dry_run
        self.before = {} if row is None else stored(row)
        # The row is saved in place: a model that saves every row as its only one changes this one's key.
        self.key = None if row is None else row.pk
        self.form: Any = None
        self.formsets: list[Any] = []
        self.saved: Any = None
        self.view = ("add",) if row is None else ("change", quote(row.pk))
        bound.request = bound.new_request(*self.view, method="POST")
        self.check_permission()
        # Built once, though the view asks again: a formset class costs more than the rest of a small form.
        self._inlines = list(formsets_of(bound, row))
        writable = [item for item in inlines_of(bound, self._inlines) if bound.exposed.takes(item.name)]
        self.partial = Partial(bound, row, values, {item.name: item for item in writable})
        if row is None:
            self.partial.initial = initial_of(bound)

    def check_permission(self) -> None:
        """Refuse in words what the view would refuse with a bare 403."""
        admin, request, opts = self.bound.admin, self.bound.request, self.bound.opts
        if self.row is None:
            if not admin.has_add_permission(request):
                raise PermissionDenied(f"You may not add {opts.verbose_name_plural}.")
        elif not admin.has_change_permission(request, self.row):
            raise PermissionDenied(refused(self.bound, self.row, "change"))

    def save(self) -> Any:
        """Run the view and return the row it saved; raises RefusalError with the errors of each field."""
        bound = self.bound
        fill(bound.request.POST, {"_save": "Save"})
        self._post_ahead()
        admin = self._watched()
        try:
            if self.row is None:
                admin.add_view(bound.request)
            else:
                admin.change_view(bound.request, str(quote(self.row.pk)))
        except FormRefusedError as error:
            raise form_refusal(error) from None
        except PermissionDenied as error:
            raise PermissionDenied(str(error) or refused(bound, self.row, "change" if self.row else "add")) from error
        if self.row is not None and self.saved is not None and self.saved.pk != self.key:
            raise RefusalError("Not saved: the admin's page would have changed another row.")
        if self.saved is None or not is_stored(self.saved):
            told = " ".join(bound.request.messages(marked=False)) or self._kinds()
            told = told or "the admin's page did not save it."
            raise RefusalError(f"Not saved: {told}")
        self._check_taken()
        return self.saved

    def _post_ahead(self) -> None:
        """Post what the page sends before a get_form of the project's own looks for it."""
        admin, request = self.bound.admin, self.bound.request
        if overrides(type(admin), ModelAdmin, ("get_form",)):
            asking = self.bound.new_request(*self.view)
            shown = form_class_of(admin, asking, self.row, change=self.row is not None)
            page = page_of(shown, (request.POST, request.FILES), {"instance": self.row})
            if page is not None:
                self.partial.fill_page(page)
        post_inlines_when_asked(self.partial, self._inlines)

    def _kinds(self) -> str:
        """Return the tools for the kinds of a row to be added, where the admin's page asks for its kind first."""
        own, peers = self.bound.exposed, self.bound.exposed.peers.items()
        kinds = [item for model, item in peers if issubclass(model, own.model) and item is not own]
        tools = [item.tool_name("create") for item in kinds if "create" in item.verbs]
        asks = self.row is None and overrides(type(self.bound.admin), ModelAdmin, ("add_view",))
        return f"the admin asks for its kind first; use {' or '.join(tools)}." if asks and tools else ""

    def _watched(self) -> Any:
        """Return a copy of the ModelAdmin whose hooks report here before and after they do their own work."""
        own, admin = self.bound.admin, copy(self.bound.admin)
        if self.row is not None:
            admin.get_object = only(self.row, own.get_object)
        admin.get_form = self._form_once(own)
        admin._get_form_for_get_fields = partial(admin.get_form, fields=None)
        admin.get_formsets_with_inlines = self._formsets
        admin.construct_change_message = self._watch_message(own.construct_change_message)
        admin.log_addition = self._watch_log(own.log_addition, always=True)
        admin.log_change = self._watch_log(own.log_change)
        admin.get_inline_formsets = self._refuse
        admin.response_add, admin.response_change = response(own, "add"), response(own, "change")
        if self.dry_run:
            admin.save_model = without_files(own.save_model, lambda obj, *rest: [obj])
            admin.save_formset = without_files(
                own.save_formset, lambda form, formset, *rest: [item.instance for item in formset.forms]
            )
        return admin

    def _form_once(self, own: Any) -> Any:
        """Return get_form, which Django's own get_fieldsets calls for the names of that very form's fields."""
        is_same = not overrides(type(own), ModelAdmin, ("get_form", "get_fields", "get_fieldsets"))
        built: list[Any] = []

        def get_form(*args: Any, **kwargs: Any) -> Any:
            if not (is_same and built):
                built[:] = [self.partial.form_class(form_class_of(own, *args, **kwargs))]
            return built[0]

        return get_form

    def _formsets(self, request: Any, obj: Any = None) -> Any:
        for formset, inline in self._inlines:
            yield self.partial.formset_class(formset), self.partial.with_nested(inline)

    def _refuse(self, request: Any, formsets: Any, *args: Any, **kwargs: Any) -> Any:
        # A view that posted comes here only to show its form again; the page around it is not needed.
        raise FormRefusedError(self.partial.form, formsets)

    def _watch_message(self, own: Any) -> Any:
        def construct(request: Any, form: Any, formsets: Any, add: bool = False) -> Any:
            self.form, self.formsets = form, list(formsets or ())
            return own(request, form, formsets, add)

        return construct

    def _watch_log(self, own: Any, *, always: bool = False) -> Any:
        def log(request: Any, obj: Any, message: Any) -> Any:
            self.saved = obj
            changed = {} if always else self.changes(obj)
            if not (always or changed or message):
                # A write that changes nothing is no change.
                return None
            return own(request, obj, message if always else with_values(message, changed))

        return log

    def changes(self, row: Any) -> dict[str, Any]:
        """Return [old, new] of every field of the row that changed, and what happened to the inlines' rows."""
        return self.field_changes(row) | self._inline_changes()

    def field_changes(self, row: Any) -> dict[str, Any]:
        if not hasattr(self, "_changes"):
            self._changes = dict(self._field_changes(row))
        return self._changes

    def _field_changes(self, row: Any) -> Iterable[tuple[str, Any]]:
        form = self.form
        for name in form.changed_data if form is not None else ():
            if self.bound.exposed.shows(name):
                yield name, [form.mcp_old.get(name), new_value(form, name, row)]
            else:
                yield name, [HIDDEN, HIDDEN]
        done = set(form.changed_data if form is not None else ())
        now = stored(row)
        shown = {*(form.fields if form is not None else ()), *self._read_only()}
        for name in self.bound.visible(name for name in self.before if name in shown):
            field = model_field(self.bound.model, name)
            if name not in done and not same(field, self.before[name], now.get(name, self.before[name])):
                yield name, [plain(self.before[name], field), plain(now[name], field)]

    def _read_only(self) -> list[str]:
        admin, request = self.bound.admin, self.bound.request
        return [name_of(field) for field in admin.get_readonly_fields(request, self.row)]

    def _inline_changes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        names = {item.prefix: name for name, item in self.partial.inlines.items()}
        for formset in self.formsets:
            if happened := inline_outcome(formset, self.partial.deleted):
                found[names.get(formset.prefix, formset.prefix)] = happened
        return found

    def values_of(self, row: Any) -> dict[str, Any]:
        """Return what a created row would hold, field by field."""
        fields = self.bound.visible(self.form.fields if self.form is not None else ())
        values = {name: cut_json(new_value(self.form, name, row)) for name in fields}
        return {name: value for name, value in values.items() if value not in (None, "", [])} | self._inline_changes()

    def said(self) -> dict[str, Any]:
        """Return what the admin's hooks told the user, without its own sentence about the saved row."""
        if not (said := self.bound.request.messages()):
            return {}
        name, label = self.bound.opts.verbose_name, label_of(self.saved)
        own = {text_of(format_html(gettext(text), name=name, obj=label)) for text in OWN_SENTENCES}
        told = [text for text in said if text not in own]
        return {"messages": told} if told else {}

    def _check_taken(self) -> None:
        """Refuse a success in which a value was left behind: the form took it, and the row does not have it."""
        if not self.formsets and saves_plainly(self.bound.admin, type(self.form), self.bound.model):
            return
        said = self.bound.request.complaints()
        forms = [self.form, *(form for formset in self.formsets for form in formset.forms)]
        for form in filter(None, forms):
            given = (name for name in form.mcp_given if name in form.changed_data and name in form.cleaned_data)
            for name in lost(form, given):
                where = ".".join(filter(None, (self.partial.place(form.prefix or ""), name)))
                raise RefusalError(f"{where}: not taken: something keeps the old value.{said}")
        for name, happened in self._inline_changes().items() if said else ():
            for kind in ("not_added", "not_deleted"):
                if rows := happened.get(kind):
                    raise RefusalError(f"{name}: {kind.replace('_', ' ')}: {', '.join(rows)}.{said}")
