"""Turns exceptions into sentences that help a model correct its call."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from fastmcp.exceptions import ToolError
from pydantic import ValidationError

UNEXPECTED = {"unexpected_keyword_argument", "extra_forbidden"}
MISSING = {"missing", "missing_argument", "missing_keyword_only_argument"}


@contextmanager
def expected_errors(*user_errors: type[Exception]) -> Iterator[None]:
    """Raise ToolError for what a caller can mend: the classes given, and Django's own for input and missing rows.

    An error whose `field` names the argument that was wrong is told with that name in front.
    """
    try:
        yield
    except DjangoValidationError as error:
        raise _refusal(validation_text(error)) from error
    except PermissionDenied as error:
        raise _refusal(str(error) or "Your user may not do this.") from error
    except (Http404, ObjectDoesNotExist) as error:
        raise _refusal(f"{error} Look the row up with a list tool first.") from error
    except user_errors as error:
        field = getattr(error, "field", "")
        raise _refusal(f"{field}: {error}" if field else str(error)) from error


def _refusal(text: str) -> ToolError:
    # A caller's mistake is no error of the server's.
    return ToolError(text, log_level=logging.INFO)


def validation_text(error: DjangoValidationError) -> str:
    """Return Django's messages as sentences, each after the field it belongs to."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    sentences = {name: " ".join(texts) for name, texts in error.message_dict.items()}
    return " ".join(text if name == NON_FIELD_ERRORS else f"{name}: {text}" for name, text in sentences.items())


def argument_errors_text(error: ValidationError, parameters: Mapping[str, Any]) -> str:
    """Return what was wrong with a call's arguments, one sentence each; values sent are never repeated."""
    details = error.errors(include_url=False, include_input=False)
    return " ".join(_argument_sentence(detail, parameters) for detail in details[:10])


def unknown_arguments_text(names: Sequence[object], known: Iterable[str], of: str = "tool") -> str:
    """Return one sentence that says which names are no arguments, and which there are."""
    told = ", ".join(str(name)[:60] for name in names[:10])
    are = "is not an argument" if len(names) == 1 else "are not arguments"
    return f"{told} {are} of this {of}; its arguments are: {', '.join(known) or 'none'}."


def _argument_sentence(detail: Any, parameters: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in detail["loc"]) or "arguments"
    if detail["type"] in UNEXPECTED:
        return unknown_arguments_text([name], parameters.get("properties", {}))
    if detail["type"] in MISSING:
        return f"{name} is required."
    return f"{name}: {detail['msg'].removesuffix('.')}."
