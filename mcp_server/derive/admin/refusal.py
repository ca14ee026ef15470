"""The error for what a caller can mend: its text reaches the client, and the log has one quiet line."""

import logging
from typing import Any

from fastmcp.exceptions import ToolError


class RefusalError(ToolError):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args, log_level=logging.INFO)
