"""The models, and the page that explains the numbers."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.matches import selectors as matches
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.pipeline import card

VERSIONS_SHOWN = 30
RUNS_SHOWN = 10


@read_only
def models(request: HttpRequest) -> HttpResponse:
    """Show the registered versions with their metrics and gates, and the promotions."""
    page = page_context(request)
    stages = ml_selectors.stages(page.world)
    champion = stages.champion
    versions = [
        {
            "version": version,
            "measures": version.metrics.get("models", {}).get(version.estimator, {}),
            "base": version.metrics.get("models", {}).get("base_rates", {}),
            "benchmarks": version.metrics.get("benchmarks", []),
            "stage": stages.of(version),
        }
        for version in ml_selectors.newest_versions(page.world, VERSIONS_SHOWN)
    ]
    context = {
        "champion": champion,
        "versions": versions,
        "live": ml_selectors.live_comparison(page.world, stages),
        "promotions": ml_selectors.newest_promotions(page.world, VERSIONS_SHOWN),
        "runs": [ml_selectors.with_actual_status(run) for run in ml_selectors.newest_runs(page.world, RUNS_SHOWN)],
    }
    return render_page(request, page, "pages/models.html", context, partial="partials/models.html")


@read_only
def model_version(request: HttpRequest, world: str, number: int) -> HttpResponse:
    """Show the model card of one version, and its comparison with the champion."""
    if world not in World.values:
        raise Http404(gettext("There is no such world."))
    page = page_context(request).in_world(World(world))
    version = ml_selectors.model_version(page.world, number)
    if version is None:
        raise Http404(gettext("There is no such model version."))
    comparison = ml_selectors.newest_comparison(version)
    context = {
        "version": version,
        "stage": ml_selectors.stages(page.world).of(version),
        "comparison": comparison,
        "sections": card.sections(ml_selectors.card_facts(version)),
    }
    return render_page(request, page, "pages/model_version.html", context)


@read_only
def about(request: HttpRequest) -> HttpResponse:
    """Explain what the numbers mean and where the matches come from."""
    page = page_context(request)
    context = {
        "updated_at": matches.updated_at(page.world),
        "example": {"forecast": (0.48, 0.27, 0.25), "market": (0.42, 0.28, 0.30)},
    }
    return render_page(request, page, "pages/about.html", context)
