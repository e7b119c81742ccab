"""What a command of `manage.py spai` answers, for people and for programs."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.matches.models import World
from apps.ml import selectors


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did or found.

    `document` is printed with ``--json``, `text` without it. With a `failure` the exit code is 1.
    """

    document: dict[str, Any]
    text: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command of `manage.py spai`: its help, what declares its arguments, and what executes it."""

    help: str
    add_arguments: Callable[[CommandParser], None]
    execute: Callable[[Namespace], Answer]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows of text in columns; columns of numbers are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    is_number = [
        any(cell[:1].isdigit() for cell in column) and all(cell[:1].isdigit() or cell[:1] in "-+−–" for cell in column)
        for column in zip(*cells, strict=True)
    ] or [False] * len(heads)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in [heads, *cells]
    )


def print_progress(text: str) -> None:
    """Print what the command is doing, at a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def answer_of(command: type[BaseCommand], options: Namespace) -> Answer:
    """Return what a command of Django prints, as an answer; with ``--json`` it prints one JSON document."""
    printed, failure = io.StringIO(), ""
    try:
        command(stdout=printed, no_color=True).handle(**vars(options))
    except CommandError as error:
        failure = str(error)
    text = printed.getvalue()
    return Answer(json.loads(text) if options.json and text else {}, text.rstrip("\n"), failure)


def add_world(parser: CommandParser) -> None:
    """Declare ``--world``."""
    parser.add_argument("--world", choices=World.values, help="default: the one that pages show first")


def world_of(options: Namespace) -> World:
    """Return the chosen world, or the served one."""
    return World(options.world or selectors.served_world())
