"""Choices of fields from the enumerations of `records`."""

from __future__ import annotations

from enum import StrEnum


def choices_of(names: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the values and labels of an enumeration, as choices of a field."""
    return [(each.value, each.name.replace("_", " ").title()) for each in names]
