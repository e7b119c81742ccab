"""A model as it is served, and why one may not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.matches.models import World
from apps.ml.models import ModelVersion

if TYPE_CHECKING:
    from apps.ml.forecasting.features import FeatureState
    from apps.ml.pipeline.bundle import Bundle


class NotServedError(Exception):
    """A version cannot make forecasts here; the message says why."""


class StillLoadingError(Exception):
    """A version is being loaded; its forecasts can be had within seconds."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model with the feature state that it reads.

    `degraded` is empty for the champion itself.
    """

    world: World
    version_id: int
    version_number: int
    version: ModelVersion  # without its bundle
    bundle: Bundle
    state: FeatureState
    data_snapshot: int
    degraded: str = ""
    price_state: FeatureState | None = None  # of a version that uses prices

    @property
    def described(self) -> tuple[str, ...]:
        """Names of the features that its states and the line give; newer code may give more than it was trained on."""
        from apps.ml.forecasting.prices import BEFORE

        priced = () if self.price_state is None else (*self.price_state.names, *BEFORE)
        return (*self.state.names, *priced)
