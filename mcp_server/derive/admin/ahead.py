"""Builds the page of a form before the form itself: a project's own `__init__` looks at what the page sent."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import EmptyResultSet
from django.db import transaction
from django.forms.models import BaseModelForm

from mcp_server.derive.admin.bound import Bound
from mcp_server.derive.admin.exposure import overrides
from mcp_server.derive.admin.inlines import prefixed
from mcp_server.derive.admin.request import Asked

logger = logging.getLogger(__name__)

# The first arguments of every form.
SENT = ("data", "files")


def may_look(form_class: Any) -> bool:
    """Tell whether a form has code of the project's in its `__init__`, such as choices that follow from a choice."""
    return overrides(form_class, BaseModelForm, ("__init__",))


@contextmanager
def put_when_asked(put: Callable[[], None], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[None]:
    """Call `put` if what was sent to a form is looked at before this ends; at once where nobody could tell."""
    given = _named(args, kwargs)
    with ExitStack() as stack:
        for sent in (given[name] for name in SENT if given[name] is not None):
            if isinstance(sent, Asked):
                stack.enter_context(sent.put_when_asked(put))
            else:
                put()
        yield


def page_of(form_class: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the form that the page showed before it was sent, holding what was sent; None for one nobody sent."""
    given = _named(args, kwargs)
    if given["data"] is None:
        return None
    unsent = given | dict.fromkeys(SENT)
    try:
        page = form_class(*(unsent.pop(name) for name in SENT[: len(args)]), *args[2:], **unsent)
    except Exception:
        logger.debug("%s cannot be shown before it is sent", form_class, exc_info=True)
        return None
    page.data, page.files = given["data"], given["files"]
    return page


def _named(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a form by name, but those after the first two that come without."""
    return dict.fromkeys(SENT) | dict(zip(SENT, args, strict=False)) | dict(kwargs)


class PageBegunError(Exception):
    """Ends the add view once it knows what its page begins with."""


def initial_of(bound: Bound) -> Mapping[str, Any]:
    """Return what the add page begins with; a view of the project's own may put more into its address."""
    admin, request = copy(bound.admin), bound.new_request("add")
    own, found = admin.get_changeform_initial_data, []
    if not overrides(type(admin), ModelAdmin, ("add_view", "changeform_view")):
        return dict(own(request))

    def begin(asked: Any) -> Any:
        found.append(own(asked))
        raise PageBegunError

    admin.get_changeform_initial_data = begin
    with suppress(PageBegunError), transaction.atomic(using=bound.database()):
        admin.add_view(request)
        # It led somewhere else; what a page does when it is opened must not be done twice.
        transaction.set_rollback(True, using=bound.database())
    return dict(found[0] if found else own(request))


def narrowed(form: Any, name: str) -> bool:
    """Tell whether a field offers other rows now than it did before its form saw what was sent."""
    before = None if form.mcp_page is None else form.mcp_page.fields.get(name)
    queryset = getattr(form.fields[name], "queryset", None)
    if before is None or queryset is None:
        return False
    try:
        return str(queryset.query) != str(before.queryset.query)
    except EmptyResultSet:
        # One of them offers nothing at all.
        return True


def post_inlines_when_asked(partial: Any, formsets: Any) -> None:
    """Let the rows of inlines be found in what the page sent, of which each formset has a copy of its own.

    They are posted when somebody looks for them: a form that counts them, or the view for rows that are to go.
    """
    bound, post = partial.bound, partial.bound.request.POST
    found = list(prefixed(formsets))

    def ahead() -> None:
        for prefix, formset, inline in found:
            row = bound.model() if partial.row is None else partial.row
            sent = partial.formset_class(formset)(**bound.admin.get_formset_kwargs(bound.request, row, inline, prefix))
            # Filled in as they are built, and thrown away.
            list(sent.forms)
            for name, values in sent.data.lists():
                if name.startswith(f"{prefix}-"):
                    post.setlist(name, values)

    if found:
        post.put_once_asked(tuple(f"{prefix}-" for prefix, _, _ in found), ahead)
