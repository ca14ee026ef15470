"""What a call leaves out is kept: it is not looked up, validated or checked for uniqueness once more.

Only where nothing of the project's own could see a difference; otherwise everything runs as the page runs it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.db.models import prefetch_related_objects
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import (
    BaseModelForm,
    InlineForeignKeyField,
    ModelChoiceField,
    ModelForm,
    ModelMultipleChoiceField,
)

from mcp_server.derive.admin.bound import model_field
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.values import held

FORM_HOOKS = (
    *("full_clean", "clean", "validate_unique", "validate_constraints"),
    *("_clean_fields", "_clean_form", "_post_clean", "_get_validation_exclusions"),
)
BLANK_ROWS = ("__init__", "forms", "add_fields", "_construct_form", "get_form_kwargs", "full_clean")
BLANK_FORM = ("__init__", "has_changed", "changed_data", "full_clean")
MODEL_HOOKS = ("full_clean", "clean", "clean_fields", "validate_unique", "validate_constraints")
DJANGOS = frozenset(ModelForm.__mro__)


def cleans_plainly(form: Any) -> bool:
    """Tell whether a model form class and its model validate by Django's own code alone."""
    if not issubclass(form, BaseModelForm) or form._meta.model is None:
        return False
    bases = (base for base in form.__mro__ if base not in DJANGOS)
    own = any(name.startswith("clean_") for base in bases for name in vars(base))
    own = own or overrides(form, BaseModelForm, FORM_HOOKS)
    return not own and not overrides(form._meta.model, models.Model, MODEL_HOOKS)


def asks_of_blank(formset: Any) -> bool:
    """Tell whether code of the project's own sees a row that a page shows empty, and may demand it or save it."""
    return _has_own(formset, BLANK_ROWS) or _has_own(formset.form, BLANK_FORM)


def _has_own(kind: Any, names: Iterable[str]) -> bool:
    # The admin puts a form of its own in front of the project's.
    own = (vars(base) for base in kind.__mro__ if base is not object and not base.__module__.startswith("django."))
    return any(name in attributes for attributes in own for name in names)


def keep_relation(form: Any, name: str, field: Any) -> None:
    """Make a relation whose value stays take it from the row instead of looking it up among its choices."""
    if not isinstance(field, ModelChoiceField) or model_field(type(form.instance), name) is None:
        return
    plain = ModelMultipleChoiceField if isinstance(field, ModelMultipleChoiceField) else ModelChoiceField
    if overrides(type(field), plain, ("clean", "to_python", "validate")):
        return
    look_up = field.clean

    def clean(value: Any) -> Any:
        try:
            return related(form.instance, name)
        except ObjectDoesNotExist:
            return look_up(value)

    field.__dict__["clean"] = clean


def keep_posted(form: Any, name: str, field: Any) -> None:
    """Make a field that cannot clean what the row has clean what the page posts for it, as it does on the page."""
    clean_initial, html_name = field.clean, form.add_prefix(name)

    def clean_posted() -> Any:
        return clean_initial(field.widget.value_from_datadict(form.data, form.files, html_name))

    def clean(value: Any) -> Any:
        if _is_no_text_yet(field, value) and html_name in form.data:
            return clean_posted()
        try:
            return clean_initial(value)
        except Exception:
            # A field of the project's may stumble over what no page has ever sent it.
            return clean_posted()

    field.__dict__["clean"] = clean


def _is_no_text_yet(field: Any, value: Any) -> bool:
    """Tell whether a field of text would be given rows, say: it would take their Python code for the text."""
    makes_text = isinstance(field, forms.CharField) and type(field).to_python is forms.CharField.to_python
    return makes_text and not isinstance(value, str | None)


def keep_bytes(form: Any, name: str, field: Any) -> None:
    """Make a column of bytes keep what the row has: its field would make the text of a Python literal of it."""
    if is_text_of_bytes(model_field(type(form.instance), name), field):
        field.__dict__["clean"] = lambda value: value


def is_text_of_bytes(column: Any, field: Any) -> bool:
    # A form field of the project's own may read bytes from anything else.
    return isinstance(column, models.BinaryField) and type(field) is forms.CharField


def related(row: Any, name: str) -> Any:
    value = getattr(row, name)
    return value.all() if isinstance(value, models.Manager) else value


def fetch_kept(rows: list[Any], form: Any) -> None:
    """Fetch what many rows refer to in one query a relation."""
    fields = [model_field(type(rows[0]), name) for name in form.base_fields] if len(rows) > 1 else []
    if names := [field.name for field in fields if field and (field.many_to_one or field.one_to_one)]:
        prefetch_related_objects(rows, *names)


def kept_row(form: Any) -> dict[str, Any]:
    """Return what cleaning the form of an inline's row that stays as it is would give."""
    return {name: _kept_value(form, name, field) for name, field in form.fields.items()}


def _kept_value(form: Any, name: str, field: Any) -> Any:
    row, column = form.instance, model_field(type(form.instance), name)
    if name == DELETION_FIELD_NAME:
        return False
    if isinstance(field, InlineForeignKeyField):
        return field.parent_instance
    if column is not None and column.primary_key and not column.is_relation and isinstance(field, ModelChoiceField):
        return row
    return form.get_initial_for_field(field, name) if column is None else related(row, name)


def unique_stays(model: Any, changed: Iterable[str]) -> bool:
    """Tell whether nothing that has to be unique, alone or with others, is among the changed fields."""
    parents = (model, *model._meta.all_parents)
    if any(parent._meta.unique_together or parent._meta.constraints for parent in parents):
        return False
    dated = any(
        getattr(field, f"unique_for_{part}", None) for field in model._meta.fields for part in ("date", "month", "year")
    )
    fields = filter(None, (model_field(model, name) for name in changed))
    return not dated and not any(getattr(field, "unique", False) for field in fields)


def put_back_tidied(form: Any, before: Mapping[str, Any]) -> None:
    """Put back what only a field's own tidying changed in a row: it strips texts, and knows no null in them."""
    for name, field in form.fields.items():
        column = model_field(type(form.instance), name)
        if name in form.mcp_given or column is None or column.attname not in before or column.is_relation:
            continue
        if isinstance(column, models.FileField):
            continue
        kept, now = before[column.attname], held(form.instance, column)
        if now != kept and now == form.cleaned_data.get(name) == _tidied(field, kept):
            setattr(form.instance, column.attname, kept)


def _tidied(field: Any, value: Any) -> Any:
    try:
        return field.clean(value)
    except ValidationError:
        return value
