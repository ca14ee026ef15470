"""`manage.py prune_tool_calls`: deletes audit rows past their time."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tokens.expiry import MAX_DAYS
from tokens.models import ToolCall


class Command(BaseCommand):
    help = "Deletes the audit rows of tool calls older than so many days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="rows older than this many days are deleted")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be between 1 and {MAX_DAYS}.")
        deleted, _ = ToolCall.objects.filter(created_at__lt=timezone.now() - timedelta(days=days)).delete()
        text = f"Deleted {deleted} tool calls older than {days} days."
        self.stdout.write(json.dumps({"deleted": deleted}) if options["json"] else text)
