"""The scores of a version: of its out-of-sample forecasts by competition, and of the forecasts that it published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Avg, Count

from apps.matches.models import World
from apps.ml import selectors
from apps.ml.models import EvaluationArtifacts, ModelVersion

if TYPE_CHECKING:
    from apps.ml.forecasting.scoring import Scores

PUBLISHED: Final = ("log_loss", "rps", "brier", "base_log_loss", "market_log_loss")


class NothingToEvaluateError(Exception):
    """A version has no stored forecasts; the message says why."""


@dataclass(frozen=True, slots=True)
class VersionEvaluation:
    """Scores of a version; see `apps.ml.forecasting.scoring.Scores` for units."""

    version: ModelVersion
    overall: Scores
    by_competition: dict[str, Scores]  # slug → scores, those with most matches first
    published: dict[str, float | None]  # means over graded matches: log loss in nats, RPS, Brier score
    graded: int


def evaluate(*, version: ModelVersion) -> VersionEvaluation:
    """Score the forecasts that a version made out of sample, and those that it published.

    Raises
    ------
    NothingToEvaluateError
        When the version was registered before forecasts were stored.
    """
    # Load pandas: only when a version is evaluated.
    from apps.ml.forecasting import scoring
    from apps.ml.pipeline import comparison

    stored = EvaluationArtifacts.objects.filter(version=version).values_list("forecasts", flat=True).first()
    if stored is None:
        raise NothingToEvaluateError(
            f"No forecasts of {version} are stored. Run the pipeline: it stores those of its version."
        )
    rows = comparison.forecasts_in(bytes(stored))
    p, y = comparison.normal(rows[list(comparison.RAW)].to_numpy(dtype=float)), rows["outcome"].to_numpy()
    places = rows.groupby("competition").indices
    published = (
        selectors.valid_scores(World(version.world))
        .filter(prediction__version=version)
        .aggregate(n=Count("pk"), **{name: Avg(name) for name in PUBLISHED})
    )
    return VersionEvaluation(
        version=version,
        overall=scoring.score(p, y),
        by_competition={
            str(name): scoring.score(p[place], y[place])
            for name, place in sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
        },
        published={name: published[name] for name in PUBLISHED},
        graded=published["n"],
    )
