"""What a run may change of `params.yaml`, and the check of what it changes.

Names and types are those of `params.yaml`; bounds, fixed sections and the fields of forms are in `params_schema.yaml`.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import fnmatch
import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final[dict[str, dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
)
"""Content of `params_schema.yaml`."""

LONGEST_TEXT: Final = 20_000
"""Characters of a text with parameters."""

MOST_BRACKETS: Final = 500
"""Opening brackets in such a text: the time to read nested ones grows with the square of their number."""

NAMES_LISTED: Final = 40
"""Largest number of names in a message."""

TYPES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
}
"""Types of JSON Schema in words."""


class ParametersRefusedError(ValueError):
    """Parameters that a run cannot have; `messages` say for each what is allowed."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = list(messages)
        super().__init__(" ".join(self.messages))


@dataclass(frozen=True, slots=True)
class FormParameter:
    """A parameter that forms ask for by itself."""

    name: str  # dotted, with ``{profile}`` for the profile of the run
    title: str
    help: str
    schema: Mapping[str, Any]
    defaults: Mapping[str, Any]  # the value in params.yaml by profile; a single entry "" where it is the same for all

    def name_for(self, profile: str) -> str:
        """Return the dotted name in a run of this profile."""
        return self.name.replace("{profile}", profile)


def form_parameters(params: Mapping[str, Any]) -> list[FormParameter]:
    """Return the parameters that forms ask for, with their values in `params`."""
    present, schema = flat(params), schema_of(params)
    profiles = [name for name, value in params["train"].items() if isinstance(value, Mapping)]
    found = []
    for name, rule in RULES["form"].items():
        names = {each: name.replace("{profile}", each) for each in (profiles if "{profile}" in name else [""])}
        defaults = {profile: present[full] for profile, full in names.items()}
        found.append(
            FormParameter(name, rule["title"], rule["help"], _at(schema, next(iter(names.values()))), defaults)
        )
    return found


def schema_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of all that a run may have in place of `params`."""
    schema = _schema(params, "")
    for name in RULES["bounds"]:
        section, _, key = name.rpartition(".")
        with contextlib.suppress(KeyError):
            if "*" not in name:
                _at(schema, section)["properties"].setdefault(key, dict(_bounds(name)))
    return schema


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted name; a list is one value."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def parsed(text: str) -> dict[str, Any]:
    """Return the parameters in a text of YAML or JSON by dotted name; names may be nested, dotted or both.

    Raises
    ------
    ParametersRefusedError
        When the text is neither, or no mapping.
    """
    if len(text) > LONGEST_TEXT:
        raise ParametersRefusedError([f"The text has {len(text):,} characters; at most {LONGEST_TEXT:,} are read."])
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise ParametersRefusedError([f"The text has more than {MOST_BRACKETS} brackets; parameters need fewer."])
    if "\\" in text:
        # Escapes could stand for characters that neither PostgreSQL nor a page can hold.
        raise ParametersRefusedError(["Write all characters as they are: a backslash is not read here."])
    try:
        # An alias in a text of this length could stand for gigabytes.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ParametersRefusedError(["Write the values out: anchors and aliases of YAML are not read here."])
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ParametersRefusedError):
            raise
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise ParametersRefusedError(
            [f"This is neither YAML nor JSON{line}. Write it as `split.test_refits: 4`."]
        ) from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ParametersRefusedError(["Write names with values, such as `split.test_refits: 4`, one in each line."])
    return flat(content)


def overridden(params: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `params` in which the values in `overrides` replace those of the same dotted name.

    Where `params.yaml` shares a section by an anchor, a value changes wherever the section stands, as it would if the
    file were edited.

    Raises
    ------
    ParametersRefusedError
        When a name is unknown or belongs to no run, or a value has the wrong type or lies out of bounds.
    """
    schema = schema_of(params)
    refusals = [refusal for name, value in overrides.items() for refusal in _refusals(schema, str(name), value)]
    if refusals:
        raise ParametersRefusedError(refusals)
    changed: dict[str, Any] = copy.deepcopy(dict(params))  # keeps what is shared shared
    for name, value in overrides.items():
        *sections, key = str(name).split(".")
        section = changed
        for each in sections:
            section = section[each]
        section[key] = value
    return changed


def allowed(schema: Mapping[str, Any]) -> str:
    """Return in words what a schema allows."""
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_allowed_of(each, schema) for each in types)


def _allowed_of(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        return f"a list, each {allowed(schema['items'])}"
    if kind not in ("integer", "number"):
        return TYPES[kind]
    low, above = schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf)
    high, below = schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf)
    least = f"above {above:,}" if above >= low else f"from {low:,}"
    most = f"below {below:,}" if below <= high else f"to {high:,}"
    return f"{TYPES[kind]} {least} {most}"


def _schema(value: Any, name: str) -> dict[str, Any]:
    """Return the schema of a value of `params.yaml`: its own type, and the bounds that its name has."""
    if isinstance(value, Mapping):
        properties = {str(key): _schema(each, f"{name}.{key}".lstrip(".")) for key, each in value.items()}
        return {"type": "object", "properties": properties}
    bounds = _bounds(name)
    if isinstance(value, list):
        kinds = [_schema(each, name) for each in value]
        numbers = [each for each in kinds if each["type"] == "number"]
        return {"type": "array", "items": (numbers or kinds)[0]} | bounds
    for kind, word in ((bool, "boolean"), (int, "integer"), (float, "number")):
        if isinstance(value, kind):
            return {"type": word} | bounds
    return {"type": "string"} | bounds


@functools.cache
def _bounds(name: str) -> dict[str, Any]:
    """Return the rules of all patterns that a name matches; not to be changed."""
    found: dict[str, Any] = {}
    for pattern, rule in RULES["bounds"].items():
        if fnmatch.fnmatchcase(name, pattern):
            found |= rule
    return found


def _at(schema: Mapping[str, Any], name: str) -> Any:
    """Return the schema of a dotted name.

    Raises
    ------
    KeyError
        When there is none.
    """
    for key in filter(None, name.split(".")):
        schema = schema["properties"][key]
    return schema


def _refusals(schema: Mapping[str, Any], name: str, value: Any) -> Iterator[str]:
    section = name.split(".")[0]
    if section in RULES["not_of_a_run"]:
        yield f"{name} cannot be changed for one run: {RULES['not_of_a_run'][section]}. Edit params.yaml instead."
        return
    try:
        found = _at(schema, name)
    except KeyError:
        yield _unknown(schema, name)
        return
    if found["type"] == "object":
        yield f"{name} is a section; name what to change in it: {_listed(found['properties'])}."
    elif not _fits(found, value):
        yield f"{name} is {_shown(value)}; allowed: {allowed(found)}."


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    # Only forms of runs need it, and its import is slow.
    from jsonschema import Draft202012Validator

    # No bound refuses NaN, because no comparison with it holds.
    numbers = value if isinstance(value, list) else [value]
    return all(each == each for each in numbers) and Draft202012Validator(schema).is_valid(value)


def _unknown(schema: Mapping[str, Any], name: str) -> str:
    """Return what an unknown name may have meant, and what stands where it was looked for."""
    path: list[str] = []
    section = schema
    for key in name.split("."):
        inner = section["properties"].get(key)
        if inner is None or inner["type"] != "object":
            break
        path, section = [*path, key], inner
    known = [each for each in section["properties"] if ".".join([*path, each]) not in RULES["not_of_a_run"]]
    near = difflib.get_close_matches(name.split(".")[-1], known, n=1)
    meant = f" Did you mean {'.'.join([*path, near[0]])}?" if near else ""
    where = f" in {'.'.join(path)}" if path else ""
    return f"{name[:100]} is not a parameter.{meant} Allowed{where}: {_listed(known)}."


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:NAMES_LISTED]) + (", …" if len(every) > NAMES_LISTED else "")


def _shown(value: Any) -> str:
    text = str(value)
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"
