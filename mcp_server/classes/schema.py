"""The arguments and answers of tool classes."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """A pydantic model that knows its fields and no others, and reads the attributes of model instances too."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


def arguments_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments; null, which means left out, is not advertised."""
    schema = model.model_json_schema()
    for name, part in schema.get("properties", {}).items():
        part.pop("title", None)
        described = part.setdefault("description", f"{name.replace('_', ' ').capitalize()}.")
        known = [option for option in part.get("anyOf", []) if option != {"type": "null"}]
        if len(known) == 1 and part.get("default", ...) is None:
            schema["properties"][name] = {**known[0], "description": described}
    schema.pop("title", None)
    schema.pop("description", None)
    return {"properties": {}, "additionalProperties": False} | schema
