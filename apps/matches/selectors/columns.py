"""The columns that answers show of seasons, competitions, regions and teams, for statements that are planned once."""

from __future__ import annotations

from typing import Final

from apps.matches.connections import Columns
from apps.matches.models import Competition, Region, Season, Team

SEASON: Final = Columns(Season, "id competition_id label world")
COMPETITION: Final = Columns(Competition, "id region_id name slug level is_simulated world")
REGION: Final = Columns(Region, "id name")
TEAM: Final = Columns(Team, "id region_id name slug short_name code first_colour second_colour")
