"""Models that settings name as "app.model"."""

from typing import Any

from django.apps import apps

# Sessions, tokens, logs: no setting opens them. Users and groups can be named; a check warns of it.
CLOSED = ("admin", "sessions", "contenttypes", "tokens", "oauth2_provider")


def model_problem(label: Any) -> str:
    """Return what is wrong with a setting's name of a model, or nothing."""
    try:
        model = apps.get_model(label) if isinstance(label, str) else None
    except (LookupError, ValueError):
        model = None
    if model is None:
        return 'is no model; write "app.model".'
    if model._meta.app_label in CLOSED:
        return "holds sessions, tokens or logs, which are for nobody."
    return ""
