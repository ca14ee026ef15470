"""Exits 0 when the server at a URL answers below 500: the health check of images that have no curl."""

import http.client
import os
import sys
from urllib.parse import urlsplit


def main() -> None:
    url = urlsplit(sys.argv[1])
    # Django answers only to names it knows, and a refused name would fill the log.
    host = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".*") or "localhost"
    connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=4)
    try:
        connection.request("GET", url.path, headers={"Host": host})
        status = connection.getresponse().status
    except OSError as error:
        sys.exit(f"{sys.argv[1]} does not answer: {error}")
    sys.exit(0 if status < 500 else f"{sys.argv[1]} answers {status}")


if __name__ == "__main__":
    main()
