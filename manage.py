#!/usr/bin/env python
"""The command line of SPAI: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    """Run a command of the stack, the doctor, a backup or a restore, which need no Django, or a command of Django."""
    if sys.argv[1:2] == ["stack"]:
        from spai.stack.cli import main as stack

        sys.exit(stack(sys.argv[2:]))
    if sys.argv[1:3] == ["spai", "doctor"]:
        from spai.doctor import main as doctor

        sys.exit(doctor(sys.argv[3:]))
    if sys.argv[1:3] in (["spai", "backup"], ["spai", "restore"]):
        from spai.backup.command import main as backup

        sys.exit(backup(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
