"""The two worlds that matches belong to."""

from __future__ import annotations

from typing import Any

from django.db import models


class World(models.TextChoices):
    """Simulated and real competitions never share a run, a model or a score."""

    REAL = "real", "real"
    SANDBOX = "sandbox", "sandbox"


class WorldField(models.CharField):
    """The name of a world; a value that is read from the database is a `World`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 7, "choices": World.choices, **options})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Return the field as the plain text column that it is in migrations."""
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> World | None:
        """Return the world that a value names."""
        return None if value is None else World(value)
