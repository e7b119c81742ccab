"""Competitions of a world."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery

from apps.matches.composed import composed_once
from apps.matches.models import Competition, Season, World


def competitions(world: World) -> QuerySet[Competition]:
    """Return the competitions of a world by region and tier, each with `latest_season`, the label of its newest."""
    newest = Season.objects.filter(competition=OuterRef("pk")).order_by("-label")
    return (
        Competition.objects.filter(world=world)
        .select_related("region")
        .annotate(latest_season=Subquery(newest.values("label")[:1]))
        .order_by("region__name", "level", "name")
    )


@composed_once
def competitions_of(world: World) -> QuerySet[Competition]:
    """Return the competitions of a world, with their regions."""
    return Competition.objects.filter(world=world).select_related("region")


@composed_once
def competition_of_slug(slug: str) -> QuerySet[Competition]:
    """Return the competition with a slug, with its region."""
    return Competition.objects.filter(slug=slug).select_related("region")
