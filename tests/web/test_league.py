"""The page of a league: table with chances, given results, chances over time, rounds; the list of leagues; teams."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db.models import F

from apps.api.services import league as leagues
from apps.matches.models import Absence, Match, Player, SquadValue, Team
from apps.matches.selectors import table_matches
from apps.ml.models import SeasonForecast, SeasonInputs
from tests.web.test_pages import HTMX, text_of

LEAGUE = "/competitions/aldermark-crown-league/"
CLUBS = ["Northgate", "Old Mill", "Lakeside", "Redfield"]


@pytest.fixture
def season(build):
    return build.season()


@pytest.fixture
def played(build, season):
    """Two rounds of four clubs: Northgate 6 points, Lakeside 4, Redfield 1, Old Mill 0."""
    day = timedelta(days=1)
    return [
        build.match("Northgate", "Old Mill", season=season, kickoff_at=build.now - 8 * day, goals=(2, 0)),
        build.match("Lakeside", "Redfield", season=season, kickoff_at=build.now - 8 * day, goals=(1, 1)),
        build.match("Redfield", "Northgate", season=season, kickoff_at=build.now - day, goals=(0, 1)),
        build.match("Old Mill", "Lakeside", season=season, kickoff_at=build.now - day, goals=(1, 3)),
    ]


@pytest.fixture
def coming(build, season, played):
    """The third round."""
    return [
        build.match("Northgate", "Lakeside", season=season, kickoff_at=build.now + timedelta(hours=3)),
        build.match("Old Mill", "Redfield", season=season, kickoff_at=build.now + timedelta(hours=5)),
    ]


@pytest.fixture
def simulated(build, season, champion, played, coming) -> SeasonForecast:
    """A simulation of the third round, which can be repeated with given results."""
    number = {name: club for club, name in enumerate(CLUBS)}
    forecast = build.season_end(season, champion, CLUBS, played=4, remaining=2)
    fixtures = [
        [match.pk, number[match.home_team.name], number[match.away_team.name], 0.5, 0.3, 0.2, 1.4, 1.1]
        for match in coming
    ]
    SeasonInputs.objects.create(
        forecast=forecast,
        content={
            "teams": [Team.objects.get(name=name).pk for name in CLUBS],
            "played": [
                [number[match.home_team.name], number[match.away_team.name], match.home_goals, match.away_goals]
                for match in played
            ],
            "fixtures": fixtures,
            "deductions": [0, 0, 0, 0],
            "rho": 0.0,
            "win": 3,
            "seed": 5,
        },
    )
    return forecast


def links(page: str, name: str) -> dict[str, str]:
    """The links whose id begins with a name, by the rest of their id."""
    found = re.findall(rf'id="{name}-([\w-]+)"\s+href="([^"]*)"', page)
    return {rest: unescape(address) for rest, address in found}


class TestTable:
    def test_one_table_shows_place_form_points_expected_points_and_chances(self, client, simulated):
        response = client.get(LEAGUE)
        text = text_of(response)
        assert "Table and chances 10,000 seasons played out · 2 matches left" in text
        assert re.search(r"1 NOR Northgate W W 6 40 30 to 50 50% 12% ", text)
        assert 'aria-label="won, won, latest last"' in response.content.decode()
        assert "2026–27 · before round 3" in text

    def test_chances_that_are_older_than_the_latest_result_say_so(self, client, simulated):
        SeasonForecast.objects.update(played=3)
        text = text_of(client.get(LEAGUE))
        assert re.search(r"Table and chances as of \w+ \d+ \w+, \d\d:\d\d ?, before the latest results", text)
        assert "2 matches left" not in text

    def test_the_reader_of_a_narrow_screen_picks_the_last_column_without_a_script(self, client, simulated):
        page = client.get(LEAGUE).content.decode()
        assert re.findall(r'type="radio" name="line" id="(line-\d)"', page) == ["line-1", "line-2", "line-4"]

    def test_a_heavier_line_stands_above_those_who_go_down(self, client, simulated):
        page = client.get(LEAGUE).content.decode()
        (cut,) = re.findall(r'<tr class="cut">.*?</tr>', page, re.DOTALL)
        assert "Old Mill" in cut

    def test_what_is_not_sure_is_said(self, client, simulated):
        SeasonForecast.objects.update(is_whole=False, undated=2)
        text = text_of(client.get(LEAGUE))
        assert "The fixture list ends before the season does" in text
        assert "2 of the matches left are not in the fixture list yet" in text

    def test_a_season_that_was_not_simulated_has_its_table(self, client, coming):
        text = text_of(client.get(LEAGUE))
        assert "seasons played out" not in text
        assert re.search(r"1 NOR Northgate W W 2 \+3 6", text)

    def test_a_season_that_is_over_has_its_final_table(self, client, simulated):
        Match.objects.filter(home_goals=None).delete()
        text = text_of(client.get(LEAGUE))
        # A source may list the next fixtures only days before.
        assert "2026–27 · no fixtures announced" in text
        assert "seasons played out" not in text
        Match.objects.update(kickoff_at=F("kickoff_at") - timedelta(days=80))
        assert "2026–27 · final table" in text_of(client.get(LEAGUE))

    def test_a_season_that_has_not_begun_is_in_the_order_of_expected_points_without_places(self, client, simulated):
        Match.objects.exclude(home_goals=None).delete()
        text = text_of(client.get(LEAGUE))
        assert "2026–27 · begins Mon 23 Nov" in text
        assert [text.index(f"– {club[:3].upper()} {club}") for club in CLUBS[:1] + CLUBS[2:]]
        assert "Wins, draws and goals" not in text

    def test_a_club_that_was_merged_away_is_left_out_and_one_that_was_not_simulated_has_dashes(self, client, simulated):
        *others, last = simulated.table["clubs"]
        SeasonForecast.objects.update(table={**simulated.table, "clubs": [*others, {**last, "team": 2**30}]})
        page = client.get(LEAGUE)
        assert page.content.decode().count('class="strip"') == 3
        assert re.search(r"3 RED Redfield D L 1 – – –", text_of(page))

    def test_a_competition_without_a_table_shows_its_matches(self, client, build, coming):
        competition = coming[0].season.competition
        type(competition).objects.filter(pk=competition.pk).update(level=0)
        text = text_of(client.get(LEAGUE))
        assert "Fixtures" in text
        assert "Latest results" in text
        assert "Last five" not in text

    def test_followed_teams_are_marked(self, client, simulated):
        client.cookies["follow"] = str(Team.objects.get(name="Lakeside").pk)
        page = client.get(LEAGUE).content.decode()
        stars = re.findall(r'aria-pressed="(\w+)"\s+aria-label="Follow ([^"]*)"', page)
        assert dict(reversed(star) for star in stars) == dict.fromkeys(CLUBS, "false") | {"Lakeside": "true"}


class TestGivenResults:
    def test_each_match_left_offers_three_results_with_addresses(self, client, simulated, coming):
        first, second = coming
        page = client.get(LEAGUE).content.decode()
        answers = links(page, "answer")
        assert answers[f"{first.pk}-home"] == f"{LEAGUE}?lock={first.pk}:H#rnd"
        page = client.get(f"{LEAGUE}?lock={first.pk}:H").content.decode()
        answers = links(page, "answer")
        assert answers[f"{first.pk}-home"] == f"{LEAGUE}#rnd"
        assert answers[f"{second.pk}-draw"] == f"{LEAGUE}?lock={first.pk}:H,{second.pk}:D#rnd"

    def test_a_given_result_moves_the_chances_and_says_so(self, client, simulated, coming):
        text = text_of(client.get(f"{LEAGUE}?lock={coming[0].pk}:A"))
        assert "What if Lakeside win at Northgate" in text
        assert re.search(r"Northgate W W 6 38 \d+ to \d+ – −50", text)
        assert re.search(r"Lakeside D W 4 \d+ \d+ to \d+ 9\d% \+\d+", text)
        assert "Clear Copy address" in text

    def test_an_address_that_assumes_too_many_results_is_told_when_it_may_go_on(
        self, client, settings, simulated, coming
    ):
        settings.SPAI_LIMIT_ANONYMOUS = 3 * settings.SPAI_COMPUTED_COST
        stranger = {"REMOTE_ADDR": "203.0.113.77"}
        given = f"{LEAGUE}?lock={coming[0].pk}:H"
        statuses = [client.get(given, **stranger).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = client.get(given, **stranger)
        assert re.search(r"Too many results were assumed from your address\. Try again in \d+ s", text_of(refused))
        assert 1 <= int(refused["Retry-After"]) <= 60
        assert refused["Cache-Control"] == "no-store"
        # Nothing else is refused, and nobody else.
        assert client.get(LEAGUE, **stranger).status_code == 200
        assert client.get(given, REMOTE_ADDR="203.0.113.8").status_code == 200

    @pytest.mark.parametrize("lock", ["1:H", "x", "{over}:H", "{first}:X", "{first}", "9" * 30 + ":H", "½:H", "%00:H"])
    def test_a_result_that_cannot_be_given_is_left_out_with_a_note(self, client, simulated, played, coming, lock):
        lock = lock.format(over=played[0].pk, first=coming[0].pk)
        text = text_of(client.get(f"{LEAGUE}?lock={lock}"))
        assert "1 result of this address is left out" in text
        assert "Copy address" not in text

    def test_no_more_than_twenty_are_taken(self, client, simulated, coming):
        lock = ",".join(f"{number}:H" for number in range(10**6, 10**6 + 25))
        assert "25 results of this address are left out" in text_of(client.get(f"{LEAGUE}?lock={lock}"))
        assert client.get(f"{LEAGUE}?lock={',' * 5000}").status_code == 200

    def test_a_part_is_sent_to_the_script_of_the_page(self, client, simulated, coming):
        page = client.get(f"{LEAGUE}?lock={coming[0].pk}:H", headers=HTMX).content.decode()
        assert page.lstrip().startswith('<div\n  id="competition"')
        assert "Northgate beat Lakeside" in page

    def test_a_season_that_was_simulated_again_in_the_meantime_offers_none(self, client, simulated):
        SeasonInputs.objects.all().delete()
        page = client.get(LEAGUE)
        assert page.status_code == 200
        assert links(page.content.decode(), "answer") == {}


class TestChancesOverTime:
    @pytest.fixture
    def history(self, build, season, champion, simulated, played):
        """A simulation after the first round, in which Northgate had half the chances."""
        table = {**simulated.table}
        table["clubs"] = [
            {**club, "chances": {**club["chances"], "title": share}}
            for club, share in zip(table["clubs"], (0.25, 0.5, 0.2, 0.05), strict=True)
        ]
        return build.season_end(
            season, champion, CLUBS, played=2, data_snapshot=0, as_of=build.now - timedelta(days=7), table=table
        )

    def test_the_lines_of_the_best_four_end_with_their_names(self, client, history):
        page = client.get(LEAGUE)
        text = text_of(page)
        assert "Title chances over time" in text
        assert "Northgate 50%" in text
        assert "Chances after each round, today: Northgate 50%" in page.content.decode()
        assert "After each round since 16 November 2026" in text
        assert re.search(r"Round 1 25% 50% 20% 5", text)

    def test_a_big_move_has_a_note_with_the_results_that_made_it(self, client, history):
        text = text_of(client.get(LEAGUE)).replace("\u2060", "")
        assert "Round 2: Redfield 0–1 Northgate, Old Mill 1–3 Lakeside. Northgate 25% → 50%." in text

    def test_a_change_of_the_model_is_said(self, client, build, history):
        SeasonForecast.objects.filter(pk=history.pk).update(version=build.version(2))
        assert "A new model made the forecasts from here on." in text_of(client.get(LEAGUE))

    def test_the_reader_chooses_the_line(self, client, history):
        page = client.get(f"{LEAGUE}?chances=down")
        assert "Chances of going down over time" in text_of(page)
        assert links(page.content.decode(), "chances") == {
            "title": f"{LEAGUE}?chances=title#cot",
            "down": f"{LEAGUE}?chances=down#cot",
        }
        assert client.get(f"{LEAGUE}?chances=luck").status_code == 404

    def test_one_simulation_makes_no_line_and_nothing_is_made_up(self, client, simulated):
        assert "This season was first simulated on 23 November 2026." in text_of(client.get(LEAGUE))


class TestRounds:
    def test_the_current_round_is_shown_and_the_others_are_linked(self, client, simulated):
        page = client.get(LEAGUE).content.decode()
        assert links(page, "round") == {
            "earlier": f"{LEAGUE}?round=2#rnd",
            "all": f"{LEAGUE}?round=all#rnd",
            "this": "#rnd",
        }
        text = text_of(client.get(f"{LEAGUE}?round=2"))
        assert "Round 2" in text
        assert "FT" not in text or "Redfield" in text
        assert len(links(client.get(f"{LEAGUE}?round=all").content.decode(), "round")) == 3

    @pytest.mark.parametrize("number", ["9", "x", "-1", "99999", "²"])
    def test_a_round_that_there_is_not_is_not_found(self, client, simulated, number):
        assert client.get(f"{LEAGUE}?round={number}").status_code == 404

    def test_rounds_are_those_of_the_source_else_the_matches_that_the_teams_have_played(self, build, season, coming):
        def found() -> list[tuple[int, int]]:
            return [(each.number, len(each.matches)) for each in leagues.rounds_of(table_matches(season))]

        assert found() == [(1, 2), (2, 2), (3, 2)]
        # Redfield and Old Mill have a match in hand.
        day = timedelta(days=1)
        build.match("Lakeside", "Northgate", season=season, kickoff_at=build.now + 3 * day)
        build.match("Northgate", "Redfield", season=season, kickoff_at=build.now + 6 * day)
        build.match("Redfield", "Old Mill", season=season, kickoff_at=build.now + 9 * day)
        assert found() == [(1, 2), (2, 2), (3, 2), (4, 1), (5, 2)]
        Match.objects.update(round="Matchday 7")
        assert found() == [(7, 9)]


class TestViews:
    def test_home_away_and_form_are_one_link_away(self, client, simulated):
        text = text_of(client.get(f"{LEAGUE}?table=away"))
        assert re.search(r"1 Lakeside LAK 1 1 0 0 3–1 \+2 3 2 Northgate NOR 1 1 0 0 1–0 \+1 3", text)
        text = text_of(client.get(f"{LEAGUE}?table=home"))
        assert re.search(r"1 Northgate NOR 1 1 0 0 2–0 \+2 3", text)
        assert re.search(r"1 Northgate NOR 2 2 0 0 3–0 \+3 6", text_of(client.get(f"{LEAGUE}?table=form")))

    def test_seasons_of_the_past_are_linked(self, client, build, simulated):
        build.match(
            "Northgate",
            "Old Mill",
            season=build.season(label="2025-26"),
            goals=(1, 0),
            kickoff_at=build.now - timedelta(days=300),
        )
        assert 'href="?season=2025-26"' in client.get(LEAGUE).content.decode()
        assert "2025–26 · final table" in text_of(client.get(f"{LEAGUE}?season=2025-26"))


class TestLeagues:
    def test_a_league_is_listed_with_its_leader_and_its_next_match(self, client, simulated):
        team = Team.objects.get(name="Northgate")
        SeasonForecast.objects.update(table={**simulated.table, "leader": {"team": team.pk, "points": 6}})
        text = text_of(client.get("/competitions/"))
        assert "Crown League next Mon 23 Nov NOR Northgate lead with 6 points" in text

    def test_the_leagues_that_most_readers_look_for_come_first(self, client, build):
        for name in ("Championship", "Premier League"):
            build.season(name, simulated=False)
        text = text_of(client.get("/competitions/?world=real"))
        assert text.index("Premier League") < text.index("Championship")

    def test_one_without_fixtures_or_matches_says_so(self, client, build, played):
        build.season("Shield League").delete()
        text = text_of(client.get("/competitions/"))
        assert "Crown League 2026–27, no fixtures announced" in text
        assert "Shield League no matches yet" in text


class TestTeam:
    def test_the_season_of_a_team_is_one_line(self, client, simulated):
        text = text_of(client.get("/teams/northgate/"))
        assert "1st of 4 in the Crown League. 50% title, 12% relegation." in text
        assert "Attack 2nd 1.5 goals a match Defence 1st 0.0 conceded a match" in text

    def test_its_results_are_a_list_with_what_we_gave_them(self, client, build, champion, simulated, played):
        build.prediction(played[0], champion, (0.6, 0.3, 0.1))
        text = text_of(client.get("/teams/northgate/"))
        assert re.search(r"W 22 Nov 1–0 away to Redfield W 15 Nov 2–0 at home to Old Mill We gave this 60%", text)

    def test_what_is_known_of_its_squad_is_shown(self, client, simulated, coming):
        team = Team.objects.get(name="Northgate")
        assert "Squad" not in text_of(client.get("/teams/northgate/"))
        SquadValue.objects.create(team=team, source="tables", known_on="2026-08-01", value_eur=512_400_000)
        player = Player.objects.create(source="s", source_player_id="1", name="Ann Example")
        Absence.objects.create(
            match=coming[0], player=player, side="home", reason="injured", known_at=coming[0].created_at
        )
        text = text_of(client.get("/teams/northgate/"))
        assert "Worth about €512 m in August 2026, as tables estimates." in text
        assert "Ann Example injured" in text

    def test_before_and_after_a_season_the_line_says_so(self, client, build, played):
        assert "1st of 4 in the Crown League." in text_of(client.get("/teams/northgate/"))
        Match.objects.update(kickoff_at=F("kickoff_at") - timedelta(days=80))
        assert "1st of 4 in the Crown League 2026–27." in text_of(client.get("/teams/northgate/"))
        season = build.season("Shield League")
        build.match("Harbour", "Pier", season=season)
        assert "The 2026–27 season of the Shield League has not begun." in text_of(client.get("/teams/harbour/"))
