"""Choices of fields from the enumerations of `records`."""

from __future__ import annotations

from enum import StrEnum


def choices_of(names: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the choices of a field that stores one of some names."""
    return [(each.value, each.name.replace("_", " ").title()) for each in names]
