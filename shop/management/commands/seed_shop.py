"""Fill the shop with plausible rows."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.seed import seed


class Command(BaseCommand):
    help = "Fill the shop with plausible products, orders and the user demo. Run again, it adds only what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=int, default=200, help="how many products there should be (200)")
        parser.add_argument("--orders", type=int, default=60, help="how many demo orders there should be (60)")

    def handle(self, *args: Any, products: int, orders: int, **options: Any) -> None:
        if not 0 <= products <= 1_000_000 or not 0 <= orders <= 1_000_000:
            raise CommandError("--products and --orders take a number from 0 to 1000000.")
        made = {kind: count for kind, count in seed(products=products, orders=orders).items() if count}
        if not made:
            self.stdout.write("Nothing to do: the shop is seeded already.")
            return
        self.stdout.write("Made " + ", ".join(f"{count} {kind}" for kind, count in made.items()) + ".")
        if "users" in made:
            self.stdout.write(
                'The user "demo" (staff, group "Shop managers") has no password: '
                "make it a token, or set one with `manage.py changepassword demo`."
            )
