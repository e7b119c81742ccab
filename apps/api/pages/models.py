"""How good the forecasts are, which model makes them, and what the numbers mean."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from apps.api.methods import read_only
from apps.api.pages.frame import frame_of, show
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.pipeline import card

VERSIONS_SHOWN = 30
RUNS_SHOWN = 10
LARGEST_NUMBER = 2**31 - 1


@read_only
def track_record(request: HttpRequest) -> HttpResponse:
    """Show how the published forecasts did beside base rates and market, on the same matches."""
    frame = frame_of(request)
    context = {
        "record": ml_selectors.track_record(frame.world),
        "champion": ml_selectors.champion(frame.world),
    }
    return show(request, frame, "pages/track_record.html", context)


@read_only
def models(request: HttpRequest) -> HttpResponse:
    """Show the registered versions, their measures and gates, and who promoted which and why."""
    frame = frame_of(request)
    stands = ml_selectors.stages(frame.world)
    champion = stands.champion
    versions = [
        {
            "version": version,
            "measures": version.metrics.get("models", {}).get(version.estimator, {}),
            "base": version.metrics.get("models", {}).get("base_rates", {}),
            "benchmarks": version.metrics.get("benchmarks", []),
            "stage": stands.of(version),
        }
        for version in ml_selectors.model_versions(frame.world)[:VERSIONS_SHOWN]
    ]
    context = {
        "champion": champion,
        "versions": versions,
        "promotions": ml_selectors.promotions(frame.world)[:VERSIONS_SHOWN],
        "runs": [
            ml_selectors.with_actual_status(run)
            for run in ml_selectors.runs(frame.world).defer("log", "params", "dvc_lock", "metrics")[:RUNS_SHOWN]
        ],
    }
    return show(request, frame, "pages/models.html", context, partial="partials/models.html")


@read_only
def model_version(request: HttpRequest, world: str, number: int) -> HttpResponse:
    """Show the model card of one version: what it is for, how good it is, and how it compares with the champion."""
    if world not in World.values:
        raise Http404(f"There is no world called {world[:20]}.")
    frame = frame_of(request, world=World(world))
    version = ml_selectors.model_version(frame.world, number) if number <= LARGEST_NUMBER else None
    if version is None:
        raise Http404("There is no such model version.")
    comparison = ml_selectors.newest_comparison(version)
    context = {
        "version": version,
        "stage": ml_selectors.stages(frame.world).of(version),
        "comparison": comparison,
        "sections": card.sections(ml_selectors.card_facts(version)),
    }
    return show(request, frame, "pages/model_version.html", context)


@read_only
def about(request: HttpRequest) -> HttpResponse:
    """Say what the numbers mean and where the matches come from."""
    return show(request, frame_of(request), "pages/about.html", {})
