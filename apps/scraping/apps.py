"""The app of scraping: pages become records."""

from django.apps import AppConfig


class ScrapingConfig(AppConfig):
    """Sources, the runs that visited them and the raw pages that they gave."""

    name = "apps.scraping"
    verbose_name = "Scraping"
