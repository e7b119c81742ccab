"""Catalogues of features in the admin."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.matches.admin import FactAdmin
from apps.ml.models import FeatureCatalogue


@admin.register(FeatureCatalogue)
class FeatureCatalogueAdmin(FactAdmin):
    """Catalogues of features."""

    list_display = ("sha256", "shown_size", "created_at")
    ordering = ("-created_at",)

    @display(description="features")
    def shown_size(self, catalogue: FeatureCatalogue) -> int:
        return len(catalogue.features)
