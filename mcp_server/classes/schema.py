"""The arguments and answers of tool classes."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


def without_nul(text: str) -> str:
    # PostgreSQL stores no NUL characters, and its driver would fail on one.
    if "\x00" in text:
        raise PydanticCustomError("nul", "NUL characters are not allowed")
    return text


# Text that every database stores.
Text = Annotated[str, AfterValidator(without_nul)]


class Schema(BaseModel):
    """A pydantic model that knows its fields and no others, and reads the attributes of model instances too."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


def arguments_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments; null, which means left out, is not advertised."""
    schema: dict[str, Any] = _untitled(model.model_json_schema())
    for name, part in schema.get("properties", {}).items():
        described = part.setdefault("description", f"{name.replace('_', ' ').capitalize()}.")
        known = [option for option in part.get("anyOf", []) if option != {"type": "null"}]
        if len(known) == 1 and part.get("default", ...) is None:
            schema["properties"][name] = {**known[0], "description": described}
    schema.pop("description", None)
    return {"properties": {}, "additionalProperties": False} | schema


def answer_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a tool's answers, without the titles that only repeat names."""
    schema: dict[str, Any] = _untitled(model.model_json_schema(mode="serialization"))
    return schema


def _untitled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {"properties", "$defs"}
    return {
        key: {name: _untitled(part) for name, part in value.items()} if key in named else _untitled(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }
