"""Files as arguments: an object of a name and the content in base64."""

import base64
import binascii
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from mcp_server.classes.errors import BadRequest

# What base64 leaves of the largest message the server takes.
MAX_FILE_BYTES = 3 * 1024 * 1024
FILE_SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "name": {"type": "string", "description": "File name with its ending."},
        "content": {"type": "string", "contentEncoding": "base64", "description": "The file in base64."},
    },
    "required": ["name", "content"],
    "additionalProperties": False,
}


def uploaded(name: str, value: Any) -> SimpleUploadedFile:
    """Return the file of a `{name, content}` argument; raises BadRequest for anything else and for large files."""
    if not isinstance(value, dict) or not isinstance(value.get("content"), str) or not value.get("name"):
        raise BadRequest(f"{name}: give a file as an object with its name and its content in base64.")
    try:
        content = base64.b64decode(value["content"], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{name}: the content is not base64.") from None
    if len(content) > MAX_FILE_BYTES:
        raise BadRequest(f"{name}: the file has {len(content)} bytes; at most {MAX_FILE_BYTES} can be sent.")
    return SimpleUploadedFile(str(value["name"]).replace("\r", "").replace("\n", ""), content)
