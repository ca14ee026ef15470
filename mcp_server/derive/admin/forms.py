"""Lets the admin's own forms take a part of their fields: what is left out stays as it is."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import NOT_PROVIDED
from django.forms import FileField
from django.forms.formsets import DELETION_FIELD_NAME

from mcp_server.derive.admin.ahead import may_look, narrowed
from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.changes import stored
from mcp_server.derive.admin.convert import check_base64, python_value
from mcp_server.derive.admin.inline_rows import done_to, row_named, rows_given
from mcp_server.derive.admin.inlines import Inline
from mcp_server.derive.admin.kept import (
    asks_of_blank,
    cleans_plainly,
    fetch_kept,
    keep_bytes,
    keep_posted,
    keep_relation,
)
from mcp_server.derive.admin.locking import lock
from mcp_server.derive.admin.partial_forms import PartialForm, PartialFormSet, partial, post_initial, rows_of_page
from mcp_server.derive.admin.posting import clears, posted, uploads
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.request import fill
from mcp_server.derive.admin.schema import database_default, not_on_page
from mcp_server.derive.admin.values import label_of, plain, read
from mcp_server.derive.secrecy import HIDDEN, is_blind, is_secret

DELETE = "delete"
UNWRITTEN = "This is required and tools do not write it, so no row can be added."


class Partial:
    """The values of one call, handed to the form and the formsets of one page as they are built."""

    def __init__(self, bound: Bound, row: Any, values: Mapping[str, Any], inlines: Mapping[str, Inline]) -> None:
        self.bound, self.row, self.inlines = bound, row, inlines
        self.given: dict[str, Mapping[str, Any]] = {"": {k: v for k, v in values.items() if k not in inlines}}
        self.rows = {inlines[name].prefix: rows_given(name, values[name]) for name in values if name in inlines}
        self.initial: Mapping[str, Any] = {}
        self.staying: set[str] = set()
        # Rows of inlines that are to go, by what the names of their fields begin with, as they were.
        self.deleted: dict[str, Mapping[str, Any]] = {}
        self.form: Any = None
        self.places: dict[str, str] = {}

    def form_class(self, base: Any) -> Any:
        looking = base if may_look(base) else None
        return partial(PartialForm, base, mcp=self, mcp_plain=cleans_plainly(base), mcp_looking=looking)

    def formset_class(self, base: Any) -> Any:
        return partial(PartialFormSet, base, mcp=self, mcp_blank=asks_of_blank(base), form=self.form_class(base.form))

    def with_nested(self, inline: Any) -> Any:
        """Return an inline whose own inlines, should it have any, keep the rows they have: nobody can give them any."""
        if not hasattr(inline, "get_inline_instances"):
            return inline
        outer, own = copy(inline), inline.get_inline_instances
        outer.get_inline_instances = lambda *args, **kwargs: [self._kept(child) for child in own(*args, **kwargs)]
        return outer

    def _kept(self, inline: Any) -> Any:
        inner, own = copy(self.with_nested(inline)), inline.get_formset
        inner.get_formset = lambda *args, **kwargs: self.formset_class(own(*args, **kwargs))
        return inner

    def fill_form(self, form: Any) -> None:
        """Give the form what was sent for it; every other field is fixed to what it is."""
        if not form.prefix:
            self.form = form
        form.mcp_stays = bool(form.prefix in self.staying and form.mcp_plain)
        self._begin_form(form)
        self._check_names(form)
        self._fill_fields(form)

    def fill_page(self, page: Any) -> None:
        """Post what the page of a form sends, before the form is there to be asked."""
        page.mcp_old, page.mcp_errors, page.mcp_page = {}, {}, None
        self._begin_form(page)
        self._fill_fields(page)

    def _begin_form(self, form: Any) -> None:
        form.mcp_given = self.given.get(form.prefix or "", {})
        form.mcp_new = form.instance._state.adding

    def _fill_fields(self, form: Any) -> None:
        for name, field in form.fields.items():
            if name in form.mcp_given:
                self._put(form, name, field)
            else:
                if form.mcp_new:
                    self._begin(form, name)
                    if not self._takes(form, name):
                        field.error_messages = {**field.error_messages, "required": UNWRITTEN}
                post_initial(form, name, field)
                # A file that is not sent stays; fixed, it would be read and measured once more.
                if not field.disabled and not isinstance(field, FileField):
                    field.disabled = True
                    keep_posted(form, name, field)
                if not form.mcp_new and not narrowed(form, name):
                    keep_relation(form, name, field)
                    keep_bytes(form, name, field)

    def _begin(self, form: Any, name: str) -> None:
        """Let a new row's field begin with what the add page was told, else with the database's default."""
        if not form.prefix and name in self.initial:
            form.initial.setdefault(name, self.initial[name])
        default = database_default(form._meta.model, name)
        if default is NOT_PROVIDED or name in form.initial:
            return
        if hasattr(default, "resolve_expression"):
            # Nobody else knows the value: the form leaves the row without one.
            form.fields[name].required, form._meta = False, copy(form._meta)
            form._meta.exclude = [*(form._meta.exclude or ()), name]
        else:
            form.initial[name] = default

    def _put(self, form: Any, name: str, field: Any) -> None:
        value, html_name = form.mcp_given[name], form.add_prefix(name)
        known = model_field(form._meta.model, name)
        if known is not None and known.primary_key and not form.mcp_new and str(value) != str(form.instance.pk):
            # The admin would write a second row, over whatever row has this key, even one the caller never sees.
            form.mcp_errors[name] = ValidationError("This is the key of the row and cannot change.")
            return
        initial = form.get_initial_for_field(field, name)
        if not form.mcp_new:
            form.mcp_old[name] = shown(form, name)
            # What a page sends along as the old value is here the row itself.
            field.show_hidden_initial = False
        try:
            converted = python_value(self.bound, field, value, initial)
            check_base64(known, field, converted)
        except ValidationError as error:
            form.mcp_errors[name] = error
            return
        if hasattr(field, "max_length") and hasattr(converted, "chunks"):
            form.files[html_name] = converted
        elif converted is None and (box := clears(field.widget, html_name)):
            # Where there is no file the page has no box to tick.
            fill(form.data, {box: "on"} if initial else {})
        else:
            form.files.update(uploads(field.widget, html_name, converted))
            self._post(form, name, field, converted)

    def _post(self, form: Any, name: str, field: Any, value: Any) -> None:
        try:
            fill(form.data, posted(field.widget, form.add_prefix(name), value))
            field.widget.value_from_datadict(form.data, form.files, form.add_prefix(name))
        except Exception:
            # Its inputs are made by a script in the page. The field is asked no more: it would fail again.
            field.disabled = True
            form.mcp_errors[name] = ValidationError("What this field's page sends cannot be made here.")

    def _check_names(self, form: Any) -> None:
        if not form.mcp_given:
            return
        writable = self._writable(form)
        wrong = [name for name in form.mcp_given if name not in writable and not self._is_as_read(form, name)]
        if wrong:
            allowed = ", ".join([*writable, *(() if form.prefix else self.inlines)]) or "none"
            sentences = [*(self._refusal(form, name) for name in wrong), f"Fields you may write: {allowed}."]
            raise RefusalError(" ".join(sentences))
        form.mcp_given = {name: value for name, value in form.mcp_given.items() if name in writable}

    def _is_as_read(self, form: Any, name: str) -> bool:
        """Tell whether a value nobody can write is what reading shows of an inline's row, which may be sent back."""
        inline = self._inline_of(form)
        if inline is None or form.mcp_new:
            return False
        fields, row = inline.fields(self.bound.request, self.row), form.instance
        if name not in fields:
            return bool(name == "label" and form.mcp_given[name] == label_of(row))
        return bool(form.mcp_given[name] == read(fields[name], row, inline.admin))

    def _inline_of(self, form: Any) -> Inline | None:
        outer = (form.prefix or "").rpartition("-")[0]
        return next((item for item in self.inlines.values() if item.prefix == outer), None)

    def _takes(self, form: Any, name: str) -> bool:
        inline = self._inline_of(form)
        return self.bound.exposed.takes(name) if inline is None else inline.takes(name)

    def _writable(self, form: Any) -> list[str]:
        inline = self._inline_of(form)
        owner = self.bound if inline is None else inline
        aside = not_on_page(owner.admin, self.bound.request, self.row, form, form.fields)
        fields = form.fields.items()
        return [name for name, field in fields if not field.disabled and self._takes(form, name) and name not in aside]

    def _refusal(self, form: Any, name: str) -> str:
        where = f"{self.place(form.prefix)}." if form.prefix else ""
        known = name in form.fields or model_field(form._meta.model, name) is not None
        known = known or (not form.prefix and name in self.bound.detail(self.row))
        return f"{where}{name[:60]} {'cannot be written here: it is read-only.' if known else 'is no field.'}"

    def fill_formset(self, formset: Any) -> None:
        """Give the formset its management form and the key of every existing row, as the page would post them."""
        existing, prefix = rows_of_page(formset), formset.prefix
        changes, new = self._sorted(formset, existing)
        if lock([row for row in existing if row.pk in changes], router.db_for_write(formset.model)):
            # What was read of them is old; forget it.
            formset.queryset = formset.queryset.all()
            existing = rows_of_page(formset)
            changes, new = self._sorted(formset, existing)
        fetch_kept(existing, formset.form)
        for number, row in enumerate(existing):
            formset.data[f"{prefix}-{number}-{formset.model._meta.pk.name}"] = str(row.pk)
            place, change = changes.get(row.pk, (f" (id {row.pk})", {}))
            self.places[f"{prefix}-{number}"] = self.name_of(formset) + place
            if change.get(DELETE) is True or self._is_within_deleted(prefix):
                self.deleted[f"{prefix}-{number}-"] = stored(row)
                formset.data[f"{prefix}-{number}-{DELETION_FIELD_NAME}"] = "on"
            elif change:
                self.given[f"{prefix}-{number}"] = change
            else:
                self.staying.add(f"{prefix}-{number}")
        for number, (place, values) in enumerate(new, len(existing)):
            self.places[f"{prefix}-{number}"] = self.name_of(formset) + place
            self.given[f"{prefix}-{number}"] = values
        total = max(len(existing) + len(new), rows_shown(formset, len(existing)))
        for number in range(len(existing) + len(new), total):
            self.places[f"{prefix}-{number}"] = f"{self.name_of(formset)} (row {number + 1} of at least {total})"
        counts = {"TOTAL": total, "INITIAL": len(existing)}
        fill(formset.data, {f"{prefix}-{kind}_FORMS": count for kind, count in counts.items()})

    def _is_within_deleted(self, prefix: str) -> bool:
        # The script of a page with nested inlines ticks the boxes of all rows within.
        return any(prefix.startswith(outer) for outer in self.deleted)

    def place(self, prefix: str) -> str:
        """Return where in the call the row of an inline's form stands: "lines.0" is the first one given."""
        return self.places.get(prefix, prefix)

    def name_of(self, formset: Any) -> str:
        inline = self._inline(formset)
        return inline.name if inline else str(formset.prefix)

    def _inline(self, formset: Any) -> Inline | None:
        return next((item for item in self.inlines.values() if item.prefix == formset.prefix), None)

    def _sorted(self, formset: Any, existing: list[Any]) -> tuple[dict[Any, Any], list[Any]]:
        """Return the given rows that change one, by its key, and the new ones; each with its place in the call."""
        inline = self._inline(formset)
        changes: dict[Any, Any] = {}
        new = []
        for number, values in enumerate(self.rows.get(formset.prefix, [])):
            if "id" not in values:
                new.append((f".{number}", values))
                continue
            found = row_named(self.bound.request, inline, existing, values["id"])
            if found.pk in changes:
                raise RefusalError(f"{self.name_of(formset)}: row {found.pk} is given more than once.")
            changes[found.pk] = f".{number}", {name: value for name, value in values.items() if name != "id"}
        if inline is not None:
            self._check_rights(inline, formset, existing, changes, new)
        return changes, new

    def _check_rights(self, inline: Inline, formset: Any, existing: Any, changes: Any, new: Any) -> None:
        rights = inline.rights(self.bound.request, self.row)
        deleted = sum(1 for _, change in changes.values() if change.get(DELETE) is True)
        asked = {"add": len(new), "delete": deleted, "change": len(changes) - deleted}
        if refused := [verb for verb, number in asked.items() if number and not rights[verb]]:
            raise RefusalError(f"{inline.name}: rows cannot be {' or '.join(map(done_to, refused))} here by your user.")
        # The page offers no form for one row more; nothing behind it would stop a longer list.
        if new and formset.max_num is not None and len(existing) - deleted + len(new) > formset.max_num:
            raise RefusalError(f"{inline.name}: at most {formset.max_num} rows.")


def rows_shown(formset: Any, existing: int) -> int:
    """Return how many rows the page posts though nobody adds one: those there are, and what min_num demands.

    The empty ones it shows besides count where the project's own code may demand or save them.
    """
    extra = formset.extra if formset.mcp_blank else 0
    return int(min(max(existing, formset.min_num) + extra, max(existing, formset.max_num)))


def shown(form: Any, name: str) -> Any:
    """Return a field's value before the form changes it, as an answer has it."""
    if is_secret(name, form._meta.model) or is_blind(form.fields[name].widget):
        return HIDDEN
    if model_field(form._meta.model, name) is not None:
        return read(name, form.instance, None)
    return plain(form.get_initial_for_field(form.fields[name], name))
