"""`python -m benchmarks.startup`: how long the tools of a hundred models take to be built when a server starts."""

import os
import statistics
import time

import django

MODELS, ROUNDS, GOAL = 100, 5, 1.0


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    seconds = [build() for _ in range(ROUNDS)]
    print(f"tools of {MODELS} models: {statistics.median(seconds):.2f} s of CPU time (goal {GOAL})")


def build() -> float:
    """Return the CPU seconds that registering one site of a hundred models takes."""
    from django.contrib import admin
    from django.test.utils import isolate_apps

    from mcp_server.derive.admin import register_admin_tools
    from mcp_server.server import create_server
    from shop.admin import ProductAdmin
    from shop.models import Product

    site = admin.AdminSite()
    for number in range(MODELS):
        meta = type("Meta", (), {"app_label": "shop", "proxy": True})
        with isolate_apps("shop"):
            model = type(f"Product{number}", (Product,), {"__module__": __name__, "Meta": meta})
        site.register(model, type(f"Product{number}Admin", (ProductAdmin,), {}))
    began = time.process_time()
    register_admin_tools(create_server(), site)
    return time.process_time() - began


if __name__ == "__main__":
    main()
