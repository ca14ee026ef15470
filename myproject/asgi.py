"""MCP as ASGI, for uvicorn; in development the pages too, so that one port does everything."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
django_application = get_asgi_application()  # Models can be imported from here on.

from mcp_server.asgi import build_app  # noqa: E402
from mcp_server.server import mcp  # noqa: E402

application = build_app(mcp, django_application)
