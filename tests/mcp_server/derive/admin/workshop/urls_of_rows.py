"""A URLconf that asks the database which addresses there are, once it is used."""

from typing import Any

from django.contrib import admin
from django.urls import path

from tests.mcp_server.derive.admin.workshop.models import Machine

SITE_OF_ROWS = admin.AdminSite(name="rows")
SITE_OF_ROWS.register(Machine)


def __getattr__(name: str) -> Any:
    if name != "urlpatterns":
        raise AttributeError(name)
    return [path("rows/" if Machine.objects.exists() else "", SITE_OF_ROWS.urls)]
