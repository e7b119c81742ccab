"""`manage.py spai COMMAND [--json]`: matches, models, forecasts and backups from a shell."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, connection

from apps.api.services import forecasts, job_kinds
from apps.ml import services
from apps.scraping.services import REFUSALS
from spai import doctor
from spai.backup import command as backup
from spai.commands import data, models
from spai.commands import forecasts as of_forecasts
from spai.commands.answers import Answer, Subcommand

COMMANDS: Final[dict[str, Subcommand]] = data.COMMANDS | models.COMMANDS | of_forecasts.COMMANDS
REFUSED: Final = (
    *REFUSALS,
    forecasts.UnknownMatchError,
    forecasts.UnknownModelError,
    job_kinds.JobRefusedError,
    services.NoForecastError,
    services.NotServedError,
    services.NothingToCompareError,
    services.NothingToEvaluateError,
    services.PromotionRefusedError,
    services.RunRefusedError,
    services.SeasonRefusedError,
    services.StillLoadingError,
    services.WhatIfRefusedError,
)
"""Errors whose text says why a service refused."""
LOST: Final = "PostgreSQL does not answer ({}). `make up` starts it; `manage.py spai doctor` says what is wrong."
INTERRUPTED: Final = 130


class Command(BaseCommand):
    """The command line of SPAI."""

    help = "Bring matches in, train, promote, forecast, back up and examine; --json prints one JSON document."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for name, command in COMMANDS.items():
            # Some commands of Django that are used here declare --json too.
            own = commands.add_parser(name, help=command.help, description=command.help, conflict_handler="resolve")
            command.add_arguments(own)
            own.add_argument("--json", action="store_true", help="print one JSON document")
        # manage.py calls these without Django; here they are for `help` and `call_command`.
        doctor.add_arguments(commands.add_parser("doctor", help=doctor.HELP))
        for name, (text, add_own, _) in backup.COMMANDS.items():
            add_own(commands.add_parser(name, help=text, description=text))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the answer of the command; with exit code 1 when it failed."""
        if options["command"] == "doctor":
            if code := doctor.run(Namespace(**options)):
                raise CommandError("Something needs you; see above.", returncode=code)
            return
        if options["command"] in backup.COMMANDS:
            if code := backup.run(options["command"], Namespace(**options)):
                raise CommandError("See above.", returncode=code)
            return
        try:
            connection.ensure_connection()
            answer = COMMANDS[options["command"]].execute(Namespace(**options))
        except (CommandError, *REFUSED) as error:
            answer = Answer({}, "", str(error))
        except (OperationalError, InterfaceError) as error:
            answer = Answer({}, "", LOST.format(str(error).strip().splitlines()[0]))
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=INTERRUPTED) from None
        if options["json"]:
            document = answer.document | ({"error": answer.failure} if answer.failure else {})
            self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1))
        elif answer.text:
            self.stdout.write(answer.text)
        if answer.failure:
            raise CommandError(answer.failure)
