"""The app's registration."""

from django.apps import AppConfig


class WorkshopConfig(AppConfig):
    name = "tests.mcp_server.derive.admin.workshop"
    label = "workshop"
    default_auto_field = "django.db.models.BigAutoField"
