#!/usr/bin/env python
"""The command line of SPAI: `manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    """Hand the command to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
