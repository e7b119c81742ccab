"""Pages of docs/reference/, and `.env.example`, made of the code."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from celery.schedules import crontab
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.db.models import Field

from apps.matches.retention import KINDS
from apps.ml.forecasting.features import FAMILIES, catalogue
from apps.ml.policy import MODES, RULES
from spai import settings
from spai.celery import HOUR, LATE_IS_FINE, MINUTE, SECOND, TIMETABLE
from spai.stack import environment

ROOT = Path(__file__).resolve().parent.parent
APPS = ("matches", "scraping", "ml", "api")
MADE = "<!-- Made of the code by `pytest tests/test_reference.py --renew`; change the code, not this page. -->\n"


def cell(text: object) -> str:
    """Return a text as it may stand in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def row(*cells: object) -> str:
    return f"| {' | '.join(cell(each) for each in cells)} |\n".replace("|  |", "| |")


def table(*heads: str) -> str:
    return row(*heads) + f"|{'---|' * len(heads)}\n"


# ── Configuration ────────────────────────────────────────────────────────────────────────────────────────────────────
def variables() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield section, name, default, values and meaning of every variable that settings read."""
    source = (ROOT / "spai" / "settings.py").read_text(encoding="utf-8")
    lines = source.splitlines()
    sections = {number: found[1] for number, line in enumerate(lines, 1) if (found := re.match(r"# ── (.+?) ─", line))}
    body = ast.parse(source).body
    for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
            continue
        section = next((title for number, title in reversed(sections.items()) if number < statement.lineno), "")
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            if not (function in ("required", "one_of", "at_least") or re.fullmatch(r"env\.\w+", function)):
                continue
            if not (call.args and isinstance(call.args[0], ast.Constant)):
                continue
            is_documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            meaning = str(following.value.value) if is_documented else ""
            yield section, str(call.args[0].value), *default_and_values(function, call), meaning


def default_and_values(function: str, call: ast.Call) -> tuple[str, str]:
    """Return the default and the possible values of a variable, as the call that reads it states them."""
    if function == "required":
        return "", "required"
    if function == "one_of":
        return literal(call.args[2]), " or ".join(value or "empty" for value in ast.literal_eval(call.args[1]))
    if function == "at_least":
        return literal(call.args[2]), f"number from {literal(call.args[1])} on"
    default = next((literal(each.value) for each in call.keywords if each.arg == "default"), "")
    kinds = {
        "env.bool": "true or false",
        "env.int": "number",
        "env.float": "number",
        "env.list": "several, with commas between",
    }
    return default, kinds.get(function, "text")


def literal(node: ast.expr) -> str:
    """Return a default as it is written in the environment."""
    if isinstance(node, ast.Name):
        # The value of another variable, or a constant.
        return f"that of {node.id}" if node.id.endswith("_URL") else str(getattr(settings, node.id))
    # A file in a folder, as text.
    if isinstance(node, ast.Call) and isinstance(node.args[0], ast.BinOp):
        return ast.unparse(node.args[0]).replace("BASE_DIR / ", "").replace(" / ", "/").replace("'", "")
    values = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    if isinstance(node, ast.List):
        return ",".join(values)
    value = values[-1] if values else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def all_variables() -> list[tuple[str, str, str, str, str]]:
    of_the_stack = [
        ("One machine", name, default, "", meaning) for name, (default, meaning) in environment.VARIABLES.items()
    ]
    return [*variables(), *of_the_stack]


def configuration() -> str:
    text = f"""{MADE}
# Configuration
Every variable that SPAI reads. Values come from the process environment, then `.env`, then `var/stack.env`; the first
that contains a variable wins. On one machine `make up` chooses secrets, addresses and ports, writes them to
`var/stack.env`, and needs none of these. An invalid value stops the start with an error that names it; so does a
variable of an earlier version that has another name now.

Libraries read variables of their own: boto3 the keys of S3 (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`). `PYTHON`
names the Python that makes `.venv`. Numbers of training are not here but in `apps/ml/params.yaml`.
"""
    before = None
    for section, name, default, values, meaning in all_variables():
        if section != before:
            text += f"\n## {section}\n" + table("variable", "default", "values", "meaning")
            before = section
        text += row(f"`{name}`", f"`{default}`" if default and " " not in default else default, values, meaning)
    return text


def env_example() -> str:
    text = """# Made of spai/settings.py by `pytest tests/test_reference.py --renew`; copy to .env and edit it.
# The process environment wins over this file, this file over var/stack.env, which `make up` writes.
"""
    before = None
    for section, name, default, _, meaning in all_variables():
        if section != before:
            text += f"\n# ── {section}\n"
            before = section
        value = "" if default.startswith(("that of ", "SPAI_")) else default
        text += f"# {f'{name}={value}':<35} {' '.join(meaning.split()).replace('`', '')}\n"
    return text


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────
OF_DJANGO = {
    *("help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"),
}
"""Options that every command of manage.py has."""


def commands() -> str:
    targets = re.findall(r"^([a-z-]+):.*## (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    text = f"""{MADE}
# Commands
## make
Each target is a line or two of the `Makefile` that can be typed without make.

{table("target", "does")}{"".join(row(f"`make {name}`", meaning) for name, meaning in targets)}
## manage.py
Run them as `.venv/bin/python manage.py COMMAND`. All take the options of Django's commands, such as `--verbosity`, too.
"""
    own = sorted(name for name, app in get_commands().items() if app.startswith(("apps.", "spai")))
    for name in own:
        text += parser_text(load_command_class(get_commands()[name], name).create_parser("manage.py", name), name)
    return text


def parser_text(parser: argparse.ArgumentParser, name: str, depth: int = 3) -> str:
    """Return heading, text and options of a command and of those below it."""
    does = cell(parser.description or "").rstrip(".")
    text = f"\n{'#' * depth} {name}\n{does[:1].upper()}{does[1:]}.\n"
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    options = [each for each in parser._actions if each not in below and each.dest not in OF_DJANGO]
    if options:
        text += "\n" + table("argument", "meaning")
    for each in options:
        text += row(f"`{spelling(each)}`", (each.help or "") % {**vars(each), "prog": name})
    for group in below:
        helps = {each.dest: each.help for each in group._choices_actions}
        for word, sub in group.choices.items():
            sub.description = sub.description or helps.get(word)
            text += parser_text(sub, f"{name} {word}", 4)
    return text


def spelling(action: argparse.Action) -> str:
    """Return how an argument is written."""
    value = action.metavar or (
        "{" + ",".join(str(each) for each in action.choices) + "}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return f"{value}…" if action.nargs in ("*", "+") else str(value)
    flag = ", ".join(action.option_strings)
    return flag if action.nargs == 0 else f"{flag} {value}"


# ── Data model ───────────────────────────────────────────────────────────────────────────────────────────────────────
def data_model() -> str:
    text = f"""{MADE}
# Data model
The tables of PostgreSQL by app, as Django's models declare them; the name of a table is `app_model`. Every table has
a number `id` as its key unless it says otherwise. Moments are in UTC. [Architecture](../architecture.md) says which
rows are never changed.
"""
    for label in APPS:
        text += f"\n## {label}\n"
        for model in sorted(apps.get_app_config(label).get_models(), key=lambda each: each.__name__):
            text += f"\n### {model.__name__}\n{cell((model.__doc__ or '').split(chr(10) + chr(10))[0])}\n\n"
            text += table("field", "type", "says")
            text += "".join(
                row(f"`{field.name}`", *field_cells(field)) for field in model._meta.fields if field.name != "id"
            )
    return text


def field_cells(field: Field) -> tuple[str, str]:
    """Return the type of a field, and what is to be known about it."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field.get_internal_type().removesuffix("Field")).lower()
    if field.remote_field:
        kind = f"→ {field.remote_field.model.__name__}"
    notes = [str(field.help_text)] if field.help_text else []
    if field.choices:
        notes.append("One of " + ", ".join(f"`{value}`" for value, _ in field.flatchoices if value != "") + ".")
    return kind + (", may be null" if field.null else ""), " ".join(notes)


# ── Routes of the API ────────────────────────────────────────────────────────────────────────────────────────────────
METHODS = ("get", "post", "put", "patch", "delete")


def routes() -> str:
    document = json.loads((ROOT / "tests" / "web" / "openapi.json").read_text(encoding="utf-8"))
    text = f"""{MADE}
# Routes of the API
All routes with their parameters. [API](../api.md) explains keys, pages, caching, errors and limits; `/api/docs/` on a
running site shows the form of each answer with examples, `/api/schema/` is the OpenAPI document. The right is the
scope that a key needs;
*open* routes also answer without a key, unless `SPAI_ANONYMOUS_API` is off.
"""
    for tag in document["tags"]:
        text += f"\n## {tag['name']}\n{tag['description']}\n"
        for path, operations in document["paths"].items():
            for method in METHODS:
                if tag["name"] in operations.get(method, {}).get("tags", []):
                    text += route(document, path, method, operations[method])
    return text


def route(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    """Return heading, summary, right and parameters of one operation."""
    rights = [scope for each in operation.get("security", []) for scopes in each.values() for scope in scopes]
    opened = ", open" if {} in operation.get("security", []) else ""
    right = ", ".join(dict.fromkeys(rights)) or "none"
    text = f"\n### {method.upper()} {path}\n{operation['summary']}. Right: {right}{opened}.\n"
    given = [parameter(document, each) for each in operation.get("parameters", [])]
    if given:
        text += "\n" + table("parameter", "in", "meaning")
    for each in given:
        meaning = each.get("description", "").split("\n\n")[0]
        values = ", ".join(f"`{value}`" for value in each.get("schema", {}).get("enum", []) if value is not None)
        text += row(f"`{each['name']}`", each["in"], f"{meaning} {f'One of {values}.' if values else ''}")
    return text


def parameter(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter, also one that is defined once for many routes."""
    found: dict[str, Any] = (
        document["components"]["parameters"][given["$ref"].rpartition("/")[2]] if "$ref" in given else given
    )
    return found


# ── Features ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def features() -> str:
    """Return the features by family; those that differ in side or window alone are one row."""
    params = yaml.safe_load((ROOT / "apps" / "ml" / "params.yaml").read_text(encoding="utf-8"))["features"]
    columns = catalogue(params)
    text = f"""{MADE}
# Features
The {len(columns):,} columns that describe a match before it is played, with the parameters of `apps/ml/params.yaml`;
the page `/features/` of the site shows those of the champion. SIDE stands for `home`, `away` and `diff` (home minus
away), N for a number of latest matches.
The family `market` is made of prices; no model that is served sees it.
[Architecture](../architecture.md#features-are-folds) says how they are computed.
"""
    for family in FAMILIES:
        rows: dict[tuple[str, str, str], list[Any]] = {}
        for each in columns:
            if each.family == family:
                name = re.sub(r"_(home|away|diff)$", "_SIDE", each.name)
                name = name.replace(f"_{each.window}_", "_N_") if each.window else name
                rows.setdefault((name, each.scope, each.unit), []).append(each)
        text += f"\n## {family}\n{(FAMILIES[family].__doc__ or '').split(chr(10) + chr(10))[0]}\n\n"
        text += table("feature", "matches", "N", "unit", "meaning")
        for (name, scope, unit), found in rows.items():
            first = found[0]
            windows = ", ".join(dict.fromkeys(str(each.window) for each in found if each.window))
            if {each.side for each in found} == {"home", "away", "diff"}:
                names = [name]
            else:
                names = [each.name.replace(f"_{each.window}_", "_N_") for each in found]
            meaning = re.sub(rf"\b{first.window}\b", "N", first.meaning.removeprefix("home side: "), count=1)
            text += row(" ".join(f"`{each}`" for each in dict.fromkeys(names)), scope, windows, unit, meaning)
    return text


# ── What happens by itself ───────────────────────────────────────────────────────────────────────────────────────────
def automation() -> str:
    """Return the timetable, the periods of retention and the policy, each with its defaults."""
    params = yaml.safe_load((ROOT / "apps" / "ml" / "params.yaml").read_text(encoding="utf-8"))
    text = f"""{MADE}
# What SPAI does by itself
What runs when, how long things are kept, and when models are promoted and trained, as shipped. Each is changed in the
admin, and what is changed there stays: *Periodic tasks*, *Retention periods*, *Policies*.

## Timetable
Times are in UTC. A task finds its work in the database, so that most runs find nothing to do, and one that is missed
does no harm, unless the last column says what it costs.

"""
    text += table("name", "task", "when", "when a run is missed")
    for name, entry in TIMETABLE.items():
        missed = "" if entry["missed"] == LATE_IS_FINE else entry["missed"]
        text += row(name, f"`{entry['task']}`", when(entry["schedule"]), missed)
    text += """
## How long things are kept
The hourly task *delete what is kept no longer* deletes what is older than its period. `SPAI_KEEP_DAYS` is the period of
`pages` unless the admin says otherwise; `manage.py retention --dry-run` counts what would go.

"""
    text += table("kind", "days", "newest that stay in any case", "what is deleted")
    for kind in KINDS.values():
        text += row(f"`{kind.name}`", kind.days or "for ever", kind.newest or "", kind.what)
    text += f"""
## Policy of promotion, fall-back and training
Each world has its own; the defaults are sections of `apps/ml/params.yaml`. The mode `promote.mode` is
`{params["promote"]["mode"]}` by default:

"""
    text += table("mode", "meaning")
    for mode, meaning in MODES.items():
        text += row(f"`{mode}`", meaning.partition(": ")[2])
    text += "\n" + table("value", "default", "from", "to", "meaning")
    for rule in RULES:
        section, _, key = rule.name.partition(".")
        text += row(
            f"`{rule.name}`", *(f"{each:,.10g}" for each in (params[section][key], rule.low, rule.high)), rule.meaning
        )
    return text


def when(schedule: float | crontab) -> str:
    """Return when a task runs, in words."""
    if isinstance(schedule, float):
        number, unit = next(
            (int(schedule // length), unit)
            for unit, length in (("hour", HOUR), ("minute", MINUTE), ("second", SECOND))
            if schedule % length == 0
        )
        return f"every {unit}" if number == 1 else f"every {number} {unit}s"
    minute, hour = schedule._orig_minute, schedule._orig_hour
    if hour == "*":
        return f"each hour at minute {minute}"
    if found := re.fullmatch(r"\*/(\d+)", hour):
        return f"every {found[1]} hours at minute {minute}"
    return f"each day at {int(hour):02}:{int(minute):02}"


PAGES = {
    "docs/reference/configuration.md": configuration,
    ".env.example": env_example,
    "docs/reference/commands.md": commands,
    "docs/reference/data-model.md": data_model,
    "docs/reference/routes.md": routes,
    "docs/reference/features.md": features,
    "docs/reference/automation.md": automation,
}
