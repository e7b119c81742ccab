"""The ledger of published forecasts, as a page and as an Atom feed."""

from __future__ import annotations

from typing import Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponse
from django.utils.feedgenerator import Atom1Feed

from apps.api.methods import read_only
from apps.api.pages.context import page_context, render_page
from apps.api.pages.forms import WorldForm
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.models import LedgerDay

DAYS_SHOWN = 60
DAYS_IN_FEED = 30


@read_only
def ledger(request: HttpRequest) -> HttpResponse:
    """List the latest closed days with their hashes, and explain how to check them."""
    page = page_context(request)
    return render_page(request, page, "pages/ledger.html", {"days": ml_selectors.ledger_days(page.world)[:DAYS_SHOWN]})


class LedgerFeed(Feed):
    """The latest closed days, so that others keep the hashes too."""

    feed_type = Atom1Feed
    # For programs, as the API is.
    language = "en"
    subtitle = "The root over all forecasts of each day, and the hash that chains it to the day before."

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> World:
        """Return the world that the address names, or the one that is shown first."""
        return WorldForm.parse(request)["world"] or ml_selectors.served_world()

    def title(self, world: World) -> str:
        """Return the title of the feed."""
        return f"Ledger of forecasts ({world})"

    def link(self, world: World) -> str:
        """Return the page of the ledger."""
        return f"/ledger/?world={world}"

    def items(self, world: World) -> list[LedgerDay]:
        """Return the days."""
        return list(ml_selectors.ledger_days(world)[:DAYS_IN_FEED])

    def item_title(self, item: LedgerDay) -> str:
        """Return the day and how many forecasts it has."""
        return f"{item.day}: {item.forecasts} forecasts"

    def item_description(self, item: LedgerDay) -> str:
        """Return the hashes."""
        return f"hash {item.hash}, root {item.root}, previous {item.previous}"

    def item_link(self, item: LedgerDay) -> str:
        """Return the entry of the day."""
        return f"/api/v1/ledger/{item.day}/?world={item.world}"

    def item_updateddate(self, item: LedgerDay) -> Any:
        """Return when the day was closed."""
        return item.closed_at


ledger_feed = read_only(LedgerFeed())
