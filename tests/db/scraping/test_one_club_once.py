"""Files of two sources that spell clubs differently: imported by the command, in either order."""

from __future__ import annotations

import pytest

from apps.matches.models import Match, Team
from tests.db.scraping.test_one_match_once import imported, openfootball, write

pytestmark = pytest.mark.django_db

ROWS = [
    ("10/08/2024", "2024-08-10", "Wrexham", "Wrexham AFC", "Swansea", "Swansea City AFC (WAL)", 3, 2),
    ("17/08/2024", "2024-08-17", "Swansea", "Swansea City AFC (WAL)", "Larkholm", "Larkholm FC", 1, 0),
    ("24/08/2024", "2024-08-24", "Larkholm", "Larkholm FC", "Wrexham", "Wrexham AFC", 0, 4),
    ("31/08/2024", "2024-08-31", "Larkholm", "Larkholm FC", "Swansea", "Swansea City AFC (WAL)", 2, 2),
    ("07/09/2024", "2024-09-07", "Swansea", "Swansea City AFC (WAL)", "Wrexham", "Wrexham AFC", 0, 1),
]


@pytest.mark.parametrize("order", [("football-data", "openfootball"), ("openfootball", "football-data")])
def test_promoted_clubs_are_stored_once_in_either_order(tmp_path, monkeypatch, order):
    monkeypatch.setattr("apps.matches.aliases._table", lambda: {"England": {"Swansea City AFC": "Swansea"}})
    results = "".join(f"E1,{day},{home},{away},{goals},{others}\n" for day, _, home, _, away, _, goals, others in ROWS)
    write(tmp_path, "football-data/2024-25/E1.csv", f"Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\n{results}")
    matches = [("Matchday", day, None, home, away, {"ft": goals}) for _, day, _, home, _, away, *goals in ROWS]
    write(tmp_path, "openfootball/2024-25/en.2.json", openfootball("English Championship 2024/25", *matches))
    before = [("Matchday", "2023-08-05", None, "Wrexham", "Bromley FC", {"ft": [1, 1]})]
    write(tmp_path, "openfootball/2023-24/en.4.json", openfootball("English League Two 2023/24", *before))
    for source in order:
        assert imported(tmp_path / source, source)["refused"] == 0
    assert set(Team.objects.values_list("name", "region__name")) == {
        (name, "England") for name in ("Wrexham", "Swansea", "Larkholm", "Bromley FC")
    }
    assert Match.objects.count() == 6
    for source in order:
        totals = imported(tmp_path / source, source)
        assert (totals["created"], totals["changed"], totals["refused"]) == (0, 0, 0)
