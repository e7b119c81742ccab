"""The page of a match: one sentence first, before, during and after it; and what it says of stakes and of moves."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from apps.api.pages import match_blocks as blocks
from apps.matches.models import Absence, Lineup, LiveScore, Match, MatchStats, Player, Team
from apps.ml.forecasting import goals
from apps.ml.models import Stakes, TeamRating
from tests.web.conftest import INTERVALS

HOME, AWAY = Team(pk=1, name="Dunmere"), Team(pk=2, name="Umberford")


def fixture(**fields) -> Match:
    """A match that is not stored."""
    return Match(home_team=HOME, away_team=AWAY, **fields)


def words(response) -> str:
    """The text of a page, with single spaces."""
    page = re.sub(r"<svg.*?</svg>", "", response.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def page_of(client, match: Match) -> str:
    return words(client.get(f"/matches/{match.pk}/"))


class TestBlocks:
    @pytest.mark.parametrize(
        ("p", "market", "favourite", "strength", "said"),
        [
            ((0.41, 0.27, 0.32), (0.40, 0.28, 0.32), "Dunmere", "slight", "agrees"),
            ((0.70, 0.20, 0.10), (0.60, 0.25, 0.15), "Dunmere", "clear", "less"),
            ((0.24, 0.25, 0.51), (0.15, 0.25, 0.60), "Umberford", "", "more"),
            ((0.45, 0.27, 0.28), (0.30, 0.30, 0.40), "Dunmere", "", "other"),
            ((0.36, 0.30, 0.34), None, None, "slight", ""),
        ],
    )
    def test_who_is_favoured_and_what_the_market_says(self, p, market, favourite, strength, said):
        found = blocks.expectation(fixture(), p, None, market)
        assert (found.favourite and found.favourite.name, found.strength, found.market) == (favourite, strength, said)

    def test_a_favourite_that_hangs_on_the_home_ground_is_said_to(self):
        p = (0.41, 0.27, 0.32)
        why = blocks.charts.why(p, {"baseline": 0.4, "elo": -0.15})
        found = blocks.expectation(fixture(), p, why, None)
        assert (found.reason, found.second, found.is_mostly, found.hangs_on_ground) == ("baseline", "", True, True)
        assert not blocks.expectation(fixture(is_neutral=True), p, why, None).hangs_on_ground

    @pytest.mark.parametrize(
        ("p", "surprise"),
        [(0.6, "expected"), (0.45, "likely"), (0.3, "open"), (0.15, "surprise"), (0.05, "shock")],
    )
    def test_a_result_is_a_surprise_by_the_chance_that_it_had(self, p, surprise):
        match = fixture(home_goals=1, away_goals=3, status="finished")
        found = blocks.judgement(match, ((1 - p) / 2, (1 - p) / 2, p), None, None)
        assert (found.winner, found.loser, found.surprise) == (AWAY, HOME, surprise)
        assert blocks.judgement(fixture(status="scheduled"), (0.4, 0.3, 0.3), None, None) is None

    @pytest.mark.parametrize(("xg", "said"), [((1.1, 2.2), "winner"), ((2.0, 0.4), "loser"), ((1.0, 1.2), "neither")])
    def test_expected_goals_say_who_had_the_better_chances(self, xg, said):
        match = fixture(home_goals=1, away_goals=3, status="finished")
        stats = MatchStats(home_xg=xg[0], away_xg=xg[1])
        assert blocks.judgement(match, (0.5, 0.3, 0.2), None, stats).chances == said

    def test_a_score_has_its_place_among_all_scores(self):
        grid = goals.grid(1.6, 1.1, (0.5, 0.3, 0.2))
        assert blocks.score_chance(grid, *grid.markets().most_likely).place == 1
        assert blocks.score_chance(grid, 12, 0).p == grid.cells[10][0]

    def test_markets_follow_from_the_grid(self):
        grid = goals.grid(1.6, 1.1, (0.5, 0.3, 0.2))
        found = {(each.name, each.line): each.p for each in blocks.more_markets(grid)}
        assert found["home_or_draw", 0.0] == pytest.approx(0.8)
        by_one = sum(grid.cells[away + 1][away] for away in range(10))
        assert found["home_by_two", 0.0] == pytest.approx(0.5 - by_one)

    def test_the_stakes_show_what_depends_on_the_match(self):
        title = {"name": "title", "places": 1, "from_end": False}
        down = {"name": "down", "places": 3, "from_end": True}
        rows = [
            title | {"side": "home", "before": 0.0, "given": [0.0, 0.0, 0.0]},
            down | {"side": "home", "before": 0.34, "given": [0.22, 0.38, 0.47]},
            title | {"side": "away", "before": 0.1, "given": [0.08, None, 0.2]},
        ]
        found = blocks.stakes_table(fixture(), Stakes(simulations=10_000, chances=rows))
        assert [(row.team.name, row.line["name"]) for row in found.rows] == [
            ("Dunmere", "down"),
            ("Umberford", "title"),
        ]
        assert (found.most.team, found.importance, found.own) == (HOME, "High", (0.22, 0.47))
        assert found.rows[1].shown == [0.08, 0.0, 0.2]
        assert blocks.stakes_table(fixture(), None) is None


class TestBefore:
    def test_the_page_begins_with_who_is_favoured_why_and_what_the_market_says(self, client, build, champion):
        match = build.match()
        contributions = {"baseline": 0.4, "elo": -0.15}
        build.prediction(match, champion, (0.41, 0.27, 0.32), contributions=contributions)
        assert "Market" not in page_of(client, match).split("Expected goals")[0]
        build.odds(match, prices=(2.5, 3.571, 3.125))
        page = page_of(client, match)
        assert "Northgate are slight favourites, mostly for their home ground; the market agrees." in page
        assert "Take away the home ground and Old Mill would be the favourites." in page
        assert "Two equal teams on neutral ground 36%" in page
        assert "Chance that Northgate win 41%" in page
        assert page.index("slight favourites") < page.index("Every score") < page.index("Why 41%")
        assert "graded" in page

    def test_what_makes_a_forecast_weak_is_one_sentence_below_it(self, client, build, champion):
        match = build.match()
        build.prediction(match, champion, before_kickoff=timedelta(hours=3))
        assert "Less sure than usual" not in page_of(client, match)
        weak = [("new_club", "away", 4), ("season_start", "", 0)]
        stored = [dict(zip(("code", "side", "number"), each, strict=True)) for each in weak]
        build.prediction(match, champion, weaknesses=stored, data_snapshot=2)
        page = page_of(client, match)
        said = "Less sure than usual: Old Mill has played 4 matches that we know of; the season has only begun."
        assert said in page
        assert page.index(said) < page.index("Expected goals")
        german = words(client.get(f"/matches/{match.pk}/", headers={"accept-language": "de"}))
        assert "Weniger sicher als sonst: von Old Mill sind nur 4 Spiele bekannt; die Saison hat eben erst" in german

    def test_how_sure_a_forecast_is_stands_below_it_until_the_result(self, client, build, champion):
        match = build.match(goals=None)
        build.prediction(match, champion, before_kickoff=timedelta(hours=3))
        assert "How sure" not in page_of(client, match)
        build.prediction(match, champion, intervals=INTERVALS, data_snapshot=2)
        page = page_of(client, match)
        said = (
            "How sure: 44–56% for Northgate, 27–32% for the draw, 15–26% for Old Mill. Each of these limits holds the "
            "bookmakers’ closing price in about 80 of 100 matches."
        )
        assert said in page
        assert page.index(said) < page.index("Expected goals")
        played = build.match(home="Westmere", kickoff_at=build.now - timedelta(hours=3), goals=(1, 0))
        build.prediction(played, champion, intervals=INTERVALS)
        assert "How sure" not in page_of(client, played)

    def test_a_fallback_is_said_once(self, client, build, champion):
        match = build.match()
        weak = [{"code": "fallback", "side": "", "number": 0}]
        build.prediction(match, champion, degraded="latest good version", weaknesses=weak)
        page = page_of(client, match)
        assert "from a fallback (latest good version)" in page
        assert "Less sure than usual" not in page

    def test_stakes_line_ups_and_absences_stand_where_they_are_known(self, client, build, champion):
        match = build.match()
        build.prediction(match, champion)
        page = page_of(client, match)
        for said in ("What is at stake", "Importance", "Line-up of", "Missing"):
            assert said not in page
        line = {"name": "down", "places": 3, "from_end": True, "side": "home", "before": 0.34}
        chances = [line | {"given": [0.22, 0.38, 0.47]}]
        Stakes.objects.create(match=match, as_of=build.now, simulations=10_000, chances=chances)
        for number, side in enumerate(("home", "away")):
            player = Player.objects.create(source="whoscored", source_player_id=str(number), name=f"Player {number}")
            known = {"match": match, "side": side, "player": player, "known_at": build.now}
            Lineup.objects.create(is_starter=True, **known)
            Absence.objects.create(reason="injured", **known)
        page = page_of(client, match)
        assert "Importance High for Northgate, at the bottom" in page
        assert "Defeat would raise the chance of Northgate to end in the bottom 3 to 47%; a win cuts it to 22%." in page
        assert "Line-up of Northgate Player 0 Missing: Player 0 (injured)" in page

    def test_the_rating_of_a_team_is_the_one_before_the_match(self, client, build, champion):
        match = build.match()
        plain = {"world": match.world, "competition": match.competition, "version": champion, "attack": 1.84}
        plain |= {"defence": 1.07, "p_win": 0.55, "p_draw": 0.25, "team": match.home_team}
        for days, place in ((-7, 12), (-1, 11), (1, 1)):
            at = match.kickoff_at + timedelta(days=days)
            TeamRating.objects.create(step_at=at, as_of=at, place=place, **plain)
        page = page_of(client, match)
        said = "11th of all clubs: against an average club of the top league 1.8 goals for and 1.1 against, 55% to win."
        assert page.count("of all clubs") == 1
        assert said in page

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({}, "new results: Northgate 0\u2060–\u20603 Lakeside. Northgate −10."),
            ({"kickoff": 5}, "the kick-off is moved to"),
            ({"version": 2}, "model 2 makes the forecasts now."),
            ({"lineups": True}, "line-ups."),
        ],
    )
    def test_a_move_of_the_forecast_has_its_reason(self, client, build, champion, fields, said):
        match = build.match(kickoff_at=build.now + timedelta(days=2))
        build.match("Northgate", "Lakeside", kickoff_at=build.now - timedelta(hours=9), goals=(0, 3))
        build.prediction(match, champion, (0.5, 0.3, 0.2), before_kickoff=timedelta(hours=60), data_snapshot=1)
        version = build.version(2) if "version" in fields else champion
        moved = {"kickoff_at": match.kickoff_at + timedelta(minutes=fields["kickoff"])} if "kickoff" in fields else {}
        if "lineups" in fields:
            player = Player.objects.create(source="whoscored", source_player_id="1", name="Player")
            known_at = build.now - timedelta(hours=1)
            Lineup.objects.create(match=match, side="home", player=player, is_starter=True, known_at=known_at)
        build.prediction(
            match, version, (0.4, 0.33, 0.27), before_kickoff=timedelta(hours=48), data_snapshot=2, **moved
        )
        page = page_of(client, match)
        assert "How the forecast moved" in page
        assert said in page

    def test_an_address_that_a_reader_without_a_key_may_not_open_is_no_link(self, client, build, champion, settings):
        match = build.match()
        build.prediction(match, champion)
        assert "As JSON" in page_of(client, match)
        settings.SPAI_ANONYMOUS_API = False
        assert "As JSON" not in page_of(client, match)


class TestLive:
    def test_the_chances_follow_score_and_minute_while_there_is_news(self, client, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(minutes=80), status="live")
        build.prediction(match, champion, (0.5, 0.3, 0.2))
        assert "In play, and no recent news of the score. Before kick-off: Northgate are" in page_of(client, match)
        read_at = build.now - timedelta(minutes=9)
        score = LiveScore.objects.create(
            match=match, source="feed", minute=67, home_goals=0, away_goals=1, read_at=read_at
        )
        page = page_of(client, match)
        assert "67′ 0–1" in page
        found = re.search(
            r"Old Mill lead after 67 minutes: Northgate now win (\d+) times in a hundred, Old Mill (\d+)", page
        )
        assert int(found[1]) < 15
        assert int(found[2]) > 50
        assert "they are not graded" in page
        assert 'data-changes-at="' in client.get(f"/matches/{match.pk}/").content.decode()
        row = client.get(f"/matches/{match.pk}/", headers={"HX-Request": "true", "HX-Target": f"row-{match.pk}"})
        assert "67′ 0 – 1" in words(row)
        score.read_at = build.now - timedelta(minutes=10)
        score.save()
        assert "no recent news of the score" in page_of(client, match)

    def test_a_match_without_a_forecast_has_a_score_and_no_chances(self, client, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(minutes=80), status="live")
        LiveScore.objects.create(match=match, source="feed", minute=90, home_goals=2, away_goals=2, read_at=build.now)
        page = page_of(client, match)
        assert "Stoppage time 2–2" in page
        assert "now win" not in page


class TestAfter:
    def test_the_page_begins_with_how_likely_the_result_was_held(self, client, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(hours=3), goals=(1, 3))
        build.score(build.prediction(match, champion, (0.51, 0.25, 0.24)))
        build.odds(match, prices=(2.128, 4.0, 3.571))
        MatchStats.objects.create(match=match, home_xg=1.1, away_xg=2.2)
        line = {"name": "title", "places": 1, "from_end": False, "side": "away", "before": 0.14}
        chances = [line | {"given": [0.09, 0.13, 0.24]}]
        Stakes.objects.create(match=match, as_of=build.now, simulations=10_000, chances=chances)
        response = client.get(f"/matches/{match.pk}/")
        page = words(response)
        said = "A surprise, but no shock: we gave Old Mill 24%, the market 28%, and they had the better chances."
        assert said in page
        assert "Old Mill win this happened" in page
        assert "Chances created 1.1–2.2 xG from the shots" in page
        assert re.search(r"1–3: we gave \d\.\d%. It is outlined", page)
        assert "Why we said 51%" in page
        assert "Worth 15 points of the chance of Old Mill to end first, win against defeat." in page
        html = response.content.decode()
        assert html.count('class="hit"') == 2
        assert len(re.findall(r'class="c-away v\d+ was"', html)) == 1
        assert html.count('class="p-home off"') == 2
        assert "graded in" in page
