"""What a caller can mend: the error whose text reaches the client, and the words for what the admin refused."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import NON_FIELD_ERRORS
from fastmcp.exceptions import ToolError

from mcp_server.derive.admin.exposure import permission_to
from mcp_server.derive.admin.values import label_of


class RefusalError(ToolError):
    """Quiet in the log: one line and no traceback. What the text says in words, `details` say to a program."""

    def __init__(self, *args: Any, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(*args, log_level=logging.INFO)
        self.details = dict(details or {})


class FormRefusedError(Exception):
    """The admin shows its form again; leaving the view this way rolls its transaction back."""

    def __init__(self, form: Any, formsets: Iterable[Any]) -> None:
        super().__init__()
        self.form, self.formsets = form, list(formsets)


def refused(bound: Any, row: Any, verb: str) -> str:
    """Return one sentence that names the row and whether a permission or a rule for this row stands in the way."""
    admin, opts = bound.admin, bound.opts
    rule, needed = rule_of(type(admin)), permission_to(verb, bound.model)
    if row is None or not getattr(admin, f"has_{verb}_permission")(bound.request):
        held = bound.request.user.has_perm(needed)
        why = f"the admin forbids it for every row{rule}" if held else f"it needs {needed}."
        return f"You may not {verb} {opts.verbose_name_plural}: {why}"
    return f"You may not {verb} {opts.verbose_name} {label_of(row)}: a rule for this row forbids it{rule}"


def rule_of(admin_class: Any) -> str:
    """Return the ModelAdmin's own words as the end of a sentence, the best hint there is about its rules."""
    return f" ({text})." if (text := words_of(admin_class)) else "."


def words_of(admin_class: Any) -> str:
    """Return what the ModelAdmin's own docstring says first."""
    own = admin_class.__dict__.get("__doc__") if admin_class is not ModelAdmin else None
    return (own or "").strip().partition("\n")[0].removesuffix(".")


def form_refusal(error: FormRefusedError) -> RefusalError:
    """Return the form's errors, each after its field; those of inline rows after inline, number and field."""
    found = list(form_errors(error.form, ""))
    for formset in error.formsets:
        found += [(formset.mcp.name_of(formset), text) for text in formset_errors(formset)]
        for form in formset.forms:
            found += form_errors(form, formset.mcp.place(form.prefix))
    errors: dict[str, list[str]] = {}
    for where, text in found:
        errors.setdefault(where or NON_FIELD_ERRORS, []).append(text)
    said = " ".join(f"{where}: {text}" if where else text for where, text in found)
    return RefusalError(said or "The form was refused.", details={"errors": errors})


def formset_errors(formset: Any) -> Iterable[str]:
    """Yield what is wrong with the rows of an inline together."""
    for error in formset.non_form_errors().as_data():
        # A form is what a person sees; who calls a tool gives rows.
        few = f"at least {formset.min_num} row{'s are' if formset.min_num > 1 else ' is'} needed."
        yield few if error.code == "too_few_forms" else " ".join(map(str, error.messages))


def form_errors(form: Any, place: str) -> Iterable[tuple[str, str]]:
    for name, texts in form.errors.items():
        where = ".".join(part for part in (place, name) if part not in ("", NON_FIELD_ERRORS))
        yield where, " ".join(str(text) for text in texts)
