"""The app's registration."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "tests.mcp_server.derive.admin.vault"
    label = "vault"
    default_auto_field = "django.db.models.BigAutoField"
