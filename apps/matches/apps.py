"""The app of matches: what football is."""

from django.apps import AppConfig


class MatchesConfig(AppConfig):
    """The ground floor: competitions, teams, matches and what was recorded of them."""

    name = "apps.matches"
    verbose_name = "Matches"
