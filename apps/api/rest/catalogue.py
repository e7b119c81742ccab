"""What lists of competitions, teams, seasons, models and sources have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.caching import ConditionalMixin
from apps.api.rest.pagination import KeysetPages
from apps.matches.models import Competition, World
from apps.ml.selectors import served_world


class CatalogueViewSet(ConditionalMixin, viewsets.GenericViewSet[Any]):
    """A list of small objects in pages, with an address for each of them if the subclass has one."""

    http_method_names = ["get", "head", "options"]
    queryset = Competition.objects.none()
    pagination_class: type[KeysetPages] | None = KeysetPages

    def page_of(
        self, found: QuerySet[Any], request: Request, query: dict[str, Any], *, order: Sequence[str] | None = None
    ) -> Response:
        """Return a page of a query in the requested order, or in `order`; `get_serializer` shapes its rows."""
        pages = KeysetPages()
        page = pages.page_of_rows(
            found, order or [query["ordering"]], request, size=query["page_size"], position=query.get("cursor")
        )
        return pages.get_paginated_response(self.get_serializer(page, many=True).data)


def world_of(query: dict[str, Any]) -> World:
    """Return the world of a query, or the one that the site shows first."""
    return World(query.get("world") or served_world())
