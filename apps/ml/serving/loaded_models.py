"""What this process has loaded, in memory that its threads share, and how they request a refresh from each other."""

from __future__ import annotations

import threading

from apps.matches.models import World
from apps.ml.serving.served_models import ServedModel

champions: dict[World, ServedModel] = {}
"""The champion of a world, or the latest good version in its place."""

checked_at: dict[World, float] = {}
"""When the champion of a world was last checked, monotonic clock."""

refused: dict[World, tuple[int, float]] = {}
"""Champion of a world that could not be loaded, and when to try again, monotonic clock."""

requested_at: dict[int, float] = {}
"""Version that was requested by name → when it was last requested, monotonic clock."""

requested_versions: dict[int, ServedModel] = {}
"""Version that was requested by name → its loaded copy."""

not_served: dict[int, tuple[str, float]] = {}
"""Version that was requested by name and cannot be loaded → why, and when to try again, monotonic clock."""

shadows: dict[int, ServedModel | float] = {}
"""Version that forecasts in shadow → its loaded copy, or when to try again to load it, monotonic clock."""

lock = threading.Lock()
"""Held while champions and versions in shadow are loaded."""

first_round_over = threading.Event()
"""Set when `refresh_models` has loaded the champions for the first time."""

refresh_now = threading.Event()
"""Set when `refresh_models` must begin a round at once."""

facts_changed = threading.Event()
"""Set when facts changed, at which `refresh_models` begins a round within `CHECK_SECONDS`."""


def loaded(world: World, number: int) -> ServedModel | None:
    """Return a loaded version by its number; None for one that this process has not loaded."""
    every = [*champions.values(), *requested_versions.values()]
    return next((each for each in every if (each.world, each.version_number) == (world, number)), None)


def is_warm() -> bool:
    """Return whether the first round of `refresh_models` is over."""
    return first_round_over.is_set()


def request_refresh(*, at_once: bool = True) -> None:
    """Have `refresh_models` check for new champions and facts: at once, or within `CHECK_SECONDS`."""
    checked_at.clear()
    facts_changed.set()
    if at_once:
        refresh_now.set()


def forget() -> None:
    """Drop all loaded models, as a restart would."""
    with lock:
        champions.clear()
        checked_at.clear()
        refused.clear()
        requested_at.clear()
        requested_versions.clear()
        not_served.clear()
        shadows.clear()
        first_round_over.clear()
