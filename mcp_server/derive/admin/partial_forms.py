"""The mixins that let one form or formset take a part of its fields."""

from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.forms import Select
from django.forms.utils import ErrorDict
from django.utils.functional import cached_property

from mcp_server.derive.admin.ahead import page_of, put_when_asked
from mcp_server.derive.admin.bound import model_field
from mcp_server.derive.admin.kept import (
    kept_row,
    put_back_tidied,
    unique_stays,
)
from mcp_server.derive.admin.posting import posted, rendered
from mcp_server.derive.admin.request import Asked, fill

if TYPE_CHECKING:
    from mcp_server.derive.admin.forms import Partial


class PartialForm:
    """Mixed in before a form class; made by partial()."""

    mcp: "Partial"
    mcp_plain = False
    # The class itself, where it may look at what was sent while it is built.
    mcp_looking: Any = None
    mcp_page: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        new: Any = super().__new__
        form = new(cls) if new is object.__new__ else new(cls, *args, **kwargs)
        if not isinstance(form, PartialForm):
            # The project's own __new__ hands out a finished form of another class.
            form.__class__ = cls.mcp.form_class(type(form))
            form.mcp_begin()
        return form

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.mcp_looking is None:
            super().__init__(*args, **kwargs)
        else:
            if kwargs.get("files") == {}:
                # A formset without files gives its forms a dict of its own.
                kwargs["files"] = Asked()
            with put_when_asked(lambda: self.mcp_show(args, kwargs), args, kwargs):
                super().__init__(*args, **kwargs)
        self.mcp_begin()

    def mcp_show(self, args: Any, kwargs: Any) -> None:
        if self.mcp_page is None and (page := page_of(self.mcp_looking, args, kwargs)) is not None:
            self.mcp.fill_page(page)
            self.mcp_page = page

    def mcp_begin(self) -> None:
        self.mcp_new = True
        self.mcp_stays = False
        self.mcp_given: Mapping[str, Any] = {}
        self.mcp_old: dict[str, Any] = {}
        self.mcp_errors: dict[str, ValidationError] = {}
        if self.is_bound:  # type: ignore[attr-defined]
            self.mcp.fill_form(self)

    def full_clean(self) -> None:
        form: Any = self
        if self.mcp_stays:
            # As the admin's view does it with rows that its user may only see.
            with suppress(ObjectDoesNotExist):
                form.cleaned_data, form._errors = kept_row(form), ErrorDict(renderer=form.renderer)
                return
        super().full_clean()  # type: ignore[misc]

    def _post_clean(self) -> None:
        form: Any = self
        before = dict(form.instance.__dict__)
        if self.mcp_new or not self.mcp_plain:
            super()._post_clean()  # type: ignore[misc]
        else:
            self._post_clean_given()
        if not self.mcp_new:
            put_back_tidied(form, before)

    def _post_clean_given(self) -> None:
        form: Any = self
        kept = form.fields.keys() - form.mcp_given.keys()
        clean_fields = form.instance.clean_fields
        form.instance.clean_fields = lambda exclude=None: clean_fields({*(exclude or ()), *kept})
        try:
            super()._post_clean()  # type: ignore[misc]
        finally:
            del form.instance.clean_fields

    def validate_unique(self) -> None:
        form: Any = self
        if self.mcp_new or not self.mcp_plain or not unique_stays(type(form.instance), form.mcp_given):
            super().validate_unique()  # type: ignore[misc]

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]
        form: Any = self
        for name, error in self.mcp_errors.items():
            # What the field says of the value that could not be read would only confuse.
            form._errors.pop(name, None)
            form.add_error(name, error)

    @cached_property
    def changed_data(self) -> list[str]:
        # A fixed field is not asked: JSON compares its data all the same, and some widgets miss what was not sent.
        form: Any = self
        if self.mcp_stays:
            return []
        return [name for name, field in form.fields.items() if not field.disabled and form[name]._has_changed()]

    def has_changed(self) -> bool:
        # A new row whose values equal the defaults is a row all the same.
        is_new = bool(self.mcp_given) and self.mcp_new
        return is_new or bool(super().has_changed())  # type: ignore[misc]

    def get_initial_for_field(self, field: Any, field_name: str) -> Any:
        value = super().get_initial_for_field(field, field_name)  # type: ignore[misc]
        kept = self.initial.get(field_name) if field.disabled else None  # type: ignore[attr-defined]
        # Django cuts microseconds for the sake of widgets; a value nobody touches must not lose them.
        return kept if hasattr(kept, "microsecond") and hasattr(value, "microsecond") else value


class PartialFormSet:
    """Mixed in before a formset class; made by partial()."""

    mcp: "Partial"
    mcp_blank = False

    @cached_property
    def management_form(self) -> Any:
        # Asked for before anything else that was posted, perhaps by the project's own __init__.
        formset: Any = super()
        if self.is_bound:  # type: ignore[attr-defined]
            self.mcp.fill_formset(self)
        return formset.management_form

    def add_fields(self, form: Any, index: int | None) -> None:
        if form.is_bound and not isinstance(form, PartialForm):
            # A formset may have forms of several classes, one for each kind of row.
            form.__class__ = self.mcp.form_class(type(form))
            form.mcp_begin()
        before = set(form.fields)
        super().add_fields(form, index)  # type: ignore[misc]
        for name in form.fields.keys() - before if form.is_bound else ():
            # What a formset adds of its own, such as an order or a kind, the page sends with the row.
            if form.add_prefix(name) not in form.data:
                post_initial(form, name, form.fields[name])

    def get_form_error(self) -> str:
        return "Another row has the same; to change that one, give its id."


def rows_of_page(formset: Any) -> list[Any]:
    """Return the rows the page showed: a formset may look in what was posted for those it has."""
    page = copy(formset)
    page.is_bound, page.data = False, {}
    return list(page.get_queryset())


def partial(mixin: Any, base: Any, **attributes: Any) -> Any:
    """Return a subclass; past the metaclass, which would build every field of the form a second time."""
    return type.__new__(type(base), base.__name__, (mixin, base), {"__module__": __name__, **attributes})


def post_initial(form: Any, name: str, field: Any) -> None:
    # Code that reads the posted data finds there what the page would have sent.
    try:
        value = field.prepare_value(form.get_initial_for_field(field, name))
        sent = rendered if not form.mcp_new and shows_something(form, name, field) else posted
        fill(form.data, sent(field.widget, form.add_prefix(name), value))
    except Exception:  # noqa: S110  (a widget of the project that shows nothing; the form keeps its initial)
        pass


def shows_something(form: Any, name: str, field: Any) -> bool:
    """Tell whether a field is a list on the page alone, which sends its first choice where nothing is chosen."""
    return isinstance(field.widget, Select) and model_field(type(form.instance), name) is None
