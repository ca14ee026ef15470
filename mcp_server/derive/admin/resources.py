"""Rows and their files as resources: read by the same code, under the same rules as the get tool."""

import json
import logging
import mimetypes
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import connections, models, router
from django.http import Http404
from fastmcp import FastMCP
from fastmcp.exceptions import FastMCPError, NotFoundError, ResourceError
from fastmcp.resources import ResourceContent, ResourceResult, ResourceTemplate
from fastmcp.server.dependencies import get_context
from mcp_types import Completion
from pydantic import PrivateAttr

from mcp_server.conf import setting
from mcp_server.context import require_mcp_user
from mcp_server.derive.admin.bound import Bound, for_lists
from mcp_server.derive.admin.completion import may_look, row_ids
from mcp_server.derive.admin.exposure import Exposed, inlines_known
from mcp_server.derive.admin.lookup import key_of
from mcp_server.derive.admin.reading import get_row, viewed
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.completion import nothing
from mcp_server.derive.masking import in_database_masked
from mcp_server.derive.provider import derived_of
from mcp_server.derive.registration import add_derived
from mcp_server.derive.requests import Origin, current_origin, own_origin
from mcp_server.subscriptions import rows_of, watch

logger = logging.getLogger(__name__)

JSON = "application/json"
BYTES = "application/octet-stream"
PK = {"type": "object", "properties": {"pk": {"type": "string"}}, "required": ["pk"]}


class NoSuchResourceError(FastMCPError, NotFoundError):
    """The row is not there, or not for this caller, who hears the same as for an address nobody registered."""

    def __init__(self, uri: str) -> None:
        # FastMCP logs a traceback at this level; the caller's mistake deserves none in production.
        super().__init__(f"Unknown resource: {uri!r}", log_level=logging.DEBUG)


class RowTemplate(ResourceTemplate):
    """One row of a model of an admin site: what its get tool answers."""

    _exposed: Exposed = PrivateAttr()

    @property
    def tool_name(self) -> str:
        """The tool that reads the same: a token without it does not read here either."""
        return self._exposed.tool_name("get")

    def get_meta(self) -> dict[str, Any]:
        return self._exposed.meta("view")

    def visible_to(self, user: Any) -> bool:
        return may_look(for_lists(self._exposed, user))

    def complete(self, user: Any, argument: str, value: str, given: Mapping[str, str]) -> Completion:
        """Return ids of rows the caller may read, for what was typed of an id or of a row's texts."""
        return row_ids(for_lists(self._exposed, user), value) if argument == "pk" else nothing()

    def readable(self, user: Any, uris: Collection[str]) -> set[str]:
        """Return those of the resources that this user could read now; one query finds all of their rows."""
        bound, keys = Bound(self._exposed, user, own_origin()), self._keys(uris)
        rows = bound.admin.get_queryset(bound.request).filter(pk__in=set(keys.values()))
        shown = {row.pk for row in rows if self.shows(bound, row)}
        return {uri for uri, key in keys.items() if key in shown}

    def shows(self, bound: Bound, row: Any) -> bool:
        return bound.opens(row)

    def ended(self, uris: Collection[str]) -> set[str]:
        """Return those of the resources whose rows are no more."""
        keys = self._keys(uris)
        left = self._exposed.model._base_manager.filter(pk__in=set(keys.values())).values_list("pk", flat=True)
        return {uri for uri, key in keys.items() if key not in set(left)}

    def _keys(self, uris: Collection[str]) -> dict[str, Any]:
        keys = {uri: key_of(self._exposed.model._meta.pk, pk_of(uri)) for uri in uris}
        return {uri: key for uri, key in keys.items() if key is not None}

    async def _read(self, uri: str, params: dict[str, Any]) -> ResourceResult:
        user = await require_mcp_user(get_context())
        try:
            content = await in_database_masked(self.content, user, current_origin(), params["pk"])
        except (RefusalError, PermissionDenied, Http404, ObjectDoesNotExist) as error:
            # One answer for what is not there and what is not for this caller.
            raise NoSuchResourceError(uri) from error
        return ResourceResult(contents=[content])

    def content(self, user: Any, origin: Origin, pk: str) -> ResourceContent:
        bound = self.bound(user, origin)
        text = json.dumps(get_row(bound, {"id": {"id": pk}}), ensure_ascii=False)
        check_size(len(text.encode()))
        return ResourceContent(text, mime_type=JSON)

    def bound(self, user: Any, origin: Origin) -> Bound:
        bound = Bound(self._exposed, user, origin)
        if not may_look(bound):
            raise PermissionDenied
        return bound


class FileTemplate(RowTemplate):
    """The file in one field of a row."""

    _field: str = PrivateAttr()

    def shows(self, bound: Bound, row: Any) -> bool:
        return bound.opens(row) and self._field in bound.detail(row)

    def content(self, user: Any, origin: Origin, pk: str) -> ResourceContent:
        bound = self.bound(user, origin)
        bound, row = viewed(bound, {"id": {"id": pk}}, "get")
        file = getattr(row, self._field, None)
        if self._field not in bound.detail(row) or not file:
            raise ObjectDoesNotExist
        try:
            check_size(file.size)
            with file.open("rb") as opened:
                # A storage may have said less than there is.
                data = opened.read(setting("MCP_MAX_RESULT_BYTES") + 1)
        except FileNotFoundError as error:
            logger.warning("A file of %s is gone from its storage.", self.uri_template)
            raise ObjectDoesNotExist from error
        check_size(len(data))
        # Never as text: what it holds is data and not for the server to interpret.
        return ResourceContent(bytes(data), mime_type=type_of(file.name))


def type_of(name: str) -> str:
    """Return the media type a file's name says it has; one that is packed is not what it was before."""
    kind, packed = mimetypes.guess_type(name)
    return BYTES if packed else kind or BYTES


def check_size(size: int) -> None:
    if size > (limit := setting("MCP_MAX_RESULT_BYTES")):
        text = f"This has {size} bytes, and at most {limit} can be sent."
        raise ResourceError(text, log_level=logging.DEBUG)


def register_admin_resources(mcp: FastMCP[Any], exposed: Iterable[Exposed]) -> list[str]:
    """Register a template for the rows of each model that has a get tool, and one for each of its file fields.

    Clients that subscribe to a row hear of every committed change to it or to rows of its inlines.
    """
    added: list[str] = []
    for item in exposed:
        if "get" not in item.verbs:
            continue
        address = address_of(mcp, item)
        names = add_derived(mcp, templates_of(item, address))
        if names:
            watch(f"{address}/", partial(watched_rows, item))
        added += names
    return added


def address_of(mcp: FastMCP[Any], exposed: Exposed) -> str:
    """Return what the addresses of the rows begin with; where another site has the model too, the site is named."""
    plain = f"django://{exposed.label}"
    there = derived_of(mcp).one(ResourceTemplate, f"{plain}/{{pk}}")
    is_of_another = isinstance(there, RowTemplate) and there._exposed.site is not exposed.site
    return f"django://{exposed.site.name}.{exposed.label}" if is_of_another else plain


def templates_of(exposed: Exposed, address: str) -> list[RowTemplate]:
    """Return the template of the model's rows, and one for each of its file fields."""
    opts = exposed.model._meta
    uri, one = f"{address}/{{pk}}", str(opts.verbose_name)
    templates: list[RowTemplate] = [
        RowTemplate(
            uri_template=uri,
            name=exposed.noun,
            description=f"One {one} by its id, as {exposed.tool_name('get')} answers it.",
            mime_type=JSON,
            parameters=PK,
            # An id is looked up, never opened: one with dots or slashes is as good as any.
            security=None,
        )
    ]
    templates += [_file_template(exposed, field, uri) for field in file_fields(exposed)]
    for template in templates:
        template._exposed = exposed
    return templates


def _file_template(exposed: Exposed, field: Any, uri: str) -> FileTemplate:
    template = FileTemplate(
        uri_template=f"{uri}/{field.name}",
        name=f"{exposed.noun}_{field.name}",
        description=f"The file of a {exposed.model._meta.verbose_name}: {field.verbose_name}.",
        mime_type=BYTES,
        parameters=PK,
        security=None,
    )
    template._field = field.name
    return template


def file_fields(exposed: Exposed) -> list[Any]:
    """Return the fields with files that tools may read; whether the form shows them, each row decides."""
    fields = exposed.model._meta.concrete_fields
    return [field for field in fields if isinstance(field, models.FileField) and exposed.shows(field.name)]


def watched_rows(exposed: Exposed, uri: str) -> list[tuple[str, str | None]]:
    """Return what the resource of one row is made of: the row, and the tables of its inlines.

    Which lines are a row's own can change with every line, so any of theirs counts: the notice only says "read again".
    """
    pk = pk_of(uri)
    rows = list(rows_of(exposed.model, stored_key(exposed.model, pk)))
    for inline in inlines_known(exposed.model_admin):
        rows += rows_of(inline.model)
    return list(dict.fromkeys(rows))


def pk_of(uri: str) -> str:
    return unquote(uri.partition("://")[2].partition("/")[2].partition("/")[0])


def stored_key(model: Any, pk: str) -> str:
    """Return the key as the database is given it: SQLite, for one, has a UUID without its hyphens."""
    field = model._meta.pk
    while field.remote_field:
        field = field.target_field
    connection = connections[router.db_for_write(model)]
    return str(field.get_db_prep_value(field.to_python(pk), connection))
