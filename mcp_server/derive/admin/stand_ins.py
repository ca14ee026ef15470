"""What stands in for a ModelAdmin's own hooks while a tool runs its views."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db import models
from django.http import HttpResponse
from django.urls import NoReverseMatch

from mcp_server.derive.admin.exposure import overrides


def response(admin: Any, view: str) -> Any:
    """Return the hook that answers after saving; Django's own only says so and leads to another page."""
    names = (f"response_{view}", f"response_post_save_{view}", "_response_post_save", "message_user")
    is_own = overrides(type(admin), ModelAdmin, names)

    def respond(*args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(admin, names[0])(*args, **kwargs) if is_own else HttpResponse(status=204)
        except NoReverseMatch:
            # A site that is in no URLconf has no page to go to.
            return HttpResponse(status=204)

    return respond


def without_files(own: Any, instances: Any) -> Any:
    """Wrap a saving hook for a dry run: a storage cannot roll back, so files are named and not stored."""

    def save(request: Any, *args: Any, **kwargs: Any) -> Any:
        for row in instances(*args, *kwargs.values()):
            for field in row._meta.concrete_fields:
                file = getattr(row, field.attname) if isinstance(field, models.FileField) else None
                if file and not file._committed:
                    file.name, file._committed = field.generate_filename(row, file.name), True
        return own(request, *args, **kwargs)

    return save


def only(row: Any, own: Callable[..., Any]) -> Callable[..., Any]:
    """Return a get_object that hands out this row; a page that asks for another one gets that from its own."""

    def get_object(request: Any, object_id: Any, from_field: Any = None) -> Any:
        return row if str(object_id) == str(row.pk) else own(request, object_id, from_field)

    return get_object
