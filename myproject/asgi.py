"""MCP as ASGI, for uvicorn; in development the pages too, so that one port does everything."""

import os

from django.core.asgi import get_asgi_application

from myproject.environment import refusals_in_one_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
with refusals_in_one_sentence():
    django_application = get_asgi_application()  # Models can be imported from here on.

from mcp_server.asgi import build_app
from mcp_server.server import mcp

application = build_app(mcp, django_application)
