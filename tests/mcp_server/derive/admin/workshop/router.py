"""Keeps everything but the workshop out of the archive."""

from typing import Any


class Router:
    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        return db == "default" or app_label in ("workshop", "contenttypes")
