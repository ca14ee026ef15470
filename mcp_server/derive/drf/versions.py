"""The version of an API as an argument, wherever the project lets clients choose it."""

from dataclasses import replace
from typing import Any

from rest_framework.versioning import AcceptHeaderVersioning, QueryParameterVersioning, URLPathVersioning


def version_parameters(view: Any) -> list[dict[str, Any]]:
    """Return the parameter that chooses a version; versions in the path are arguments of the path already."""
    scheme = view.versioning_class
    if scheme is None or not scheme.allowed_versions:
        return []
    place = "query" if issubclass(scheme, QueryParameterVersioning) else "accept"
    if place == "accept" and not issubclass(scheme, AcceptHeaderVersioning):
        return []
    schema = {"type": "string", "enum": [str(version) for version in scheme.allowed_versions]}
    text = f"Version of the API; without it {scheme.default_version}." if scheme.default_version else "API version."
    return [{"name": scheme.version_param, "in": place, "schema": schema, "description": text}]


def version_in_path(argument: Any, view: Any) -> Any:
    """Return the argument with the known versions, and optional where there is a default; others as they are."""
    scheme = view.versioning_class
    if scheme is None or not issubclass(scheme, URLPathVersioning) or argument.target != scheme.version_param:
        return argument
    known = {"enum": [str(version) for version in scheme.allowed_versions]} if scheme.allowed_versions else {}
    if scheme.default_version is None:
        return replace(argument, schema=argument.schema | known)
    schema = argument.schema | known | {"default": str(scheme.default_version)}
    return replace(argument, schema=schema, required=False)
