#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
    from django.core.management import execute_from_command_line

    from myproject.environment import refusals_in_one_sentence

    with refusals_in_one_sentence():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
