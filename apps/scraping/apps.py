"""Configuration of the app that scrapes sources."""

from django.apps import AppConfig


class ScrapingConfig(AppConfig):
    """Sources, their scrape runs and raw pages."""

    name = "apps.scraping"
    verbose_name = "Scraping"
