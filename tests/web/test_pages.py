"""Pages for people: what they say, in which zone and world, and what they say when there is nothing yet."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from apps.matches.models import Event
from tests.factories import ContradictionFactory
from tests.web.conftest import HTMX, text_of


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/calendar/",
        "/competitions/",
        "/competitions/aldermark-crown-league/",
        "/teams/northgate/",
        "/matches/{match}/",
        "/track-record/",
        "/ratings/",
        "/models/",
        "/models/sandbox/1/",
        "/features/",
        "/what-if/?home=northgate&away=old-mill",
        "/search/?q=north",
        "/follow/",
        "/ledger/",
    ],
)
def test_the_script_of_a_page_asks_for_all_that_happens_while_the_page_is_made(client, build, today, answers, address):
    def store(number: int) -> None:
        Event.objects.create(number=number, topic="match.changed", key="1", created_at=build.now)

    store(1)
    number = 1

    def with_an_event_before(execute, sql, *arguments):
        nonlocal number
        if "matches_event" not in sql:
            number += 1
            store(number)
        return execute(sql, *arguments)

    with connection.execute_wrapper(with_an_event_before):
        page = client.get(address.format(match=today[0].pk)).content.decode()
    assert number > 1
    assert 'data-number="1"' in page


class TestMatch:
    def test_a_coming_match_shows_its_forecast_and_what_it_rests_on(self, client, today):
        page = text_of(client.get(f"/matches/{today[2].pk}/"))
        for said in ("70%", "1.43", "Elo ratings", "+0.41", "−0.11", "model 1", "made Mon 23 Nov"):
            assert said in page

    def test_a_graded_match_shows_the_result_and_the_score(self, client, today):
        page = text_of(client.get(f"/matches/{today[0].pk}/"))
        for said in ("2–1", "Full time", "How good the forecast was", "0.190", "0.230", "0.180"):
            assert said in page

    def test_without_a_forecast_the_page_says_why(self, client, build):
        match = build.match()
        assert "No model makes forecasts yet" in text_of(client.get(f"/matches/{match.pk}/"))

    def test_how_the_forecast_moved_is_drawn(self, client, build, champion):
        match = build.match(kickoff_at=build.now + timedelta(hours=1))
        for n, p in enumerate([(0.5, 0.3, 0.2), (0.55, 0.27, 0.18), (0.6, 0.25, 0.15)]):
            build.prediction(match, champion, p, before_kickoff=timedelta(hours=5 - n), data_snapshot=n)
        page = client.get(f"/matches/{match.pk}/").content.decode()
        assert "Northgate 50% to 60%, Draw 30% to 25%, Old Mill 20% to 15%" in page
        assert page.count('<circle class="dot"') == 2

    def test_the_lines_of_the_forecast_end_where_its_bar_stands(self, client, build, champion):
        match = build.match(kickoff_at=build.now + timedelta(hours=1))
        for n, p in enumerate([(0.5, 0.3, 0.2), (0.6, 0.325, 0.075), (0.604, 0.3225, 0.0735)]):
            build.prediction(match, champion, p, before_kickoff=timedelta(hours=5 - n), data_snapshot=n)
        page = client.get(f"/matches/{match.pk}/").content.decode()
        assert 'aria-label="Our forecast: home 61%, draw 32%, away 7%"' in page
        assert "Northgate 50% to 61%, Draw 30% to 32%, Old Mill 20% to 7%" in page
        assert "Old Mill 7%" in text_of(client.get(f"/matches/{match.pk}/"))

    def test_form_and_meetings_come_from_before_the_match(self, client, build, champion):
        then = build.now - timedelta(days=30)
        build.match("Northgate", "Old Mill", kickoff_at=then, goals=(0, 3))
        build.match("Northgate", "Lakeside", kickoff_at=then + timedelta(days=7), goals=(1, 1))
        match = build.match("Old Mill", "Northgate", kickoff_at=build.now + timedelta(hours=1))
        page = client.get(f"/matches/{match.pk}/").content.decode()
        assert 'aria-label="newest first: D L "' in page
        assert 'aria-label="newest first: W "' in page
        assert "0–3" in page

    def test_a_late_forecast_is_void_and_said_to_be(self, client, build, champion):
        match = build.match(goals=(1, 0), kickoff_at=build.now - timedelta(hours=3))
        build.prediction(match, champion, before_kickoff=timedelta(minutes=-10))
        page = text_of(client.get(f"/matches/{match.pk}/"))
        assert "No forecast of this match was published before its kick-off." in page
        assert "1 forecast came after the actual kick-off and does not count." in page

    @pytest.mark.parametrize("status", ["postponed", "cancelled", "abandoned"])
    def test_a_match_that_is_not_played_says_so(self, client, build, champion, status):
        match = build.match(status=status)
        assert status in text_of(client.get(f"/matches/{match.pk}/"))

    @pytest.mark.parametrize(
        ("status", "said"), [("finished", "FT"), ("awarded", "Awarded."), ("abandoned", "Abandoned.")]
    )
    def test_only_what_was_played_to_its_end_is_final(self, client, build, champion, status, said):
        match = build.match(goals=(2, 1), status=status, kickoff_at=build.now - timedelta(hours=3))
        address = f"/matches/{match.pk}/"
        row = client.get(address, headers={**HTMX, "HX-Target": f"row-{match.pk}"})
        assert "2 – 1" in text_of(row).split("Northgate")[0]
        assert said in text_of(row)
        page = text_of(client.get(address))
        assert ("Full time" in page) == (status == "finished")
        assert status == "finished" or status.capitalize() in page

    def test_sources_that_disagree_on_the_result_are_named(self, client, build, champion):
        match = build.match(goals=(2, 1), kickoff_at=build.now - timedelta(hours=3))
        address = f"/matches/{match.pk}/"
        assert "Sources disagree" not in text_of(client.get(address))
        row = ContradictionFactory(match=match)
        page = text_of(client.get(address))
        assert "Sources disagree" in page
        assert "openfootball reports 2–0 ; football-data is trusted more." in page
        row.resolved_at, row.resolution = build.now, "agreed"
        row.save()
        assert "Sources disagree" not in text_of(client.get(address))

    def test_an_unknown_match_is_not_found(self, client, db):
        assert client.get("/matches/12/").status_code == 404
        assert client.get(f"/matches/{10**30}/").status_code == 404


class TestSignals:
    """What stands beside a match says what is true of it, and not the opposite."""

    @pytest.mark.parametrize(
        ("minutes", "fields", "shown", "said"),
        [
            (60, {}, "13:00", ""),
            (-1, {"status": "live"}, "Live", "In play."),
            (5, {"status": "live"}, "Live", "In play."),
            (-30, {"status": "live", "goals": (2, 0)}, "Live 2–0", "In play."),
            (-1, {}, "Live", "In play."),
            (-149, {}, "Live", "In play."),
            (-151, {}, "09:29", "Awaiting the result."),
            (-1, {"status": "unknown"}, "Live", "In play."),
            (-36 * 60, {"kickoff_precision": "date"}, "Time not known", "Awaiting the result."),
            (-150, {"goals": (2, 0)}, "FT 2–0", ""),
            (-150, {"goals": (3, 0), "status": "awarded"}, "3–0", "Awarded."),
            (-150, {"goals": (1, 0), "status": "abandoned"}, "1–0", "Abandoned."),
            (-150, {"status": "abandoned"}, "09:30", "Abandoned."),
            (60, {"status": "postponed"}, "13:00", "Postponed."),
            (60, {"status": "cancelled"}, "13:00", "Cancelled."),
        ],
    )
    def test_a_row_shows_bars_before_and_after_a_match_and_words_during_it(
        self, client, build, champion, minutes, fields, shown, said
    ):
        status = {"status": fields["status"]} if "status" in fields else {}
        match = build.match(kickoff_at=build.now + timedelta(minutes=minutes), **{**fields, **status})
        build.prediction(match, champion)
        page = client.get(f"/?day={match.kickoff_at:%Y-%m-%d}").content.decode()
        time = re.search(r'<span class="t">(.*?)</span>\s*<span class="team h">', page, re.S)
        assert " ".join(re.sub(r"<[^>]+>", " ", time[1]).split()).replace(" – ", "–") == shown
        told = re.search(r'<span class="pre">(.*?)</span>', page, re.S)
        assert (" ".join(told[1].split()).split(" Before kick-off")[0] if told else "") == said
        assert ('class="bars"' in page) == (not said)
        assert ('<span class="x">' in page) == (not said)

    @pytest.mark.parametrize(("goals", "given"), [((2, 1), 45), ((0, 0), 30), ((0, 1), 25)])
    def test_after_the_match_the_row_says_what_the_forecast_gave_to_what_happened(
        self, client, build, champion, goals, given
    ):
        match = build.match(kickoff_at=build.now - timedelta(hours=3), goals=goals)
        build.prediction(match, champion, (0.45, 0.30, 0.25))
        assert f"We gave this <b>{given}%</b>" in client.get("/").content.decode()

    def test_whatever_is_said_of_a_price_is_true_at_that_moment(self, client, build, champion):
        coming = build.match(kickoff_at=build.now + timedelta(minutes=1))
        over = build.match("Redfield", "Lakeside", kickoff_at=build.now - timedelta(hours=3), goals=(1, 0))
        early = build.match("Harbour City", "Kingsmoor")
        for match in (coming, over):
            build.prediction(match, champion)
            build.odds(match)
        build.prediction(early, champion)
        build.odds(early, "B365", "opening")
        for match, said in ((coming, "Pinnacle, latest"), (over, "Pinnacle, closing"), (early, "Bet365, opening")):
            assert f"The market’s bar: {said} price" in text_of(client.get(f"/matches/{match.pk}/"))

    def test_matches_that_trained_and_matches_that_tested_are_reported_apart(self, client, build):
        measures = {"n": 911, "log_loss": 0.98, "rps": 0.2, "brier": 0.58, "accuracy": 0.52, "ece": 0.01}
        build.version(rows=3144, metrics={"models": {"elo_logit": measures}})
        page = client.get("/models/").content.decode()
        head = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', page.split("Versions", 1)[1])
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", re.search(r"<tbody>(.*?)</tbody>", page, re.S)[1], re.S)
        shown = {name: re.sub(r"<[^>]+>", "", cell).strip() for name, cell in zip(head, cells, strict=False)}
        assert shown["Trained on"] == "3,144 matches"
        assert shown["Tested on"] == "911 matches"

    def test_a_match_under_way_is_no_result_and_stands_in_one_list(self, client, build, champion):
        build.match(kickoff_at=build.now - timedelta(minutes=30), goals=(1, 0), status="live")
        page = client.get("/teams/northgate/").content.decode()
        assert page.count('class="fx') == 1
        assert "No results yet." in text_of(client.get("/teams/northgate/"))
        assert "NOR Northgate 0 0 0" in text_of(client.get("/competitions/aldermark-crown-league/"))

    @pytest.mark.parametrize(
        ("minutes", "fields", "said"),
        [
            (60, {}, "It is frozen at kick-off, then graded in"),
            (-5, {}, "It was frozen at kick-off and will be graded in"),
            (-150, {"goals": (2, 0)}, "It was frozen at kick-off and will be graded in"),
            (-150, {"goals": (3, 0), "status": "awarded"}, "Only a match that is played to its end is graded in"),
            (60, {"status": "cancelled"}, "Only a match that is played to its end is graded in"),
        ],
    )
    def test_what_is_said_of_grading_is_true(self, client, build, champion, minutes, fields, said):
        match = build.match(kickoff_at=build.now + timedelta(minutes=minutes), **fields)
        address = f"/matches/{match.pk}/"
        assert "graded in" not in text_of(client.get(address))
        build.prediction(match, champion)
        assert said in text_of(client.get(address))


class TestOtherPages:
    def test_a_table_is_ordered_by_points(self, client, build, champion):
        build.match("Northgate", "Old Mill", kickoff_at=build.now - timedelta(days=2), goals=(2, 0))
        build.match("Old Mill", "Lakeside", kickoff_at=build.now - timedelta(days=1), goals=(1, 1))
        page = text_of(client.get("/competitions/aldermark-crown-league/"))
        assert re.search(r"1 NOR Northgate W 1 \+2 3 2 LAK Lakeside D 1 0 1 3 OLM Old Mill L D 2 −2 1", page)

    def test_an_older_season_can_be_picked(self, client, build):
        build.match(
            "Old Mill",
            "Lakeside",
            season=build.season(label="2025-26"),
            kickoff_at=build.now - timedelta(days=300),
            goals=(4, 0),
        )
        build.match()
        page = client.get("/competitions/aldermark-crown-league/?season=2025-26", headers=HTMX).content.decode()
        assert "4–0" in page
        assert 'href="?season=2025-26" aria-current="true"' in page
        assert client.get("/competitions/aldermark-crown-league/?season=1888").status_code == 404

    @pytest.mark.parametrize(
        ("fields", "hours", "is_to_come"),
        [
            ({}, 1, True),
            # Files tell nothing between fixture and result: 23 hours after the kick-off it may still be on its way.
            ({}, -23, True),
            ({}, -25, False),
            ({"status": "live"}, -2, True),
            # It is noon: the day began twelve hours ago.
            ({"kickoff_precision": "date"}, -12, True),
            ({"kickoff_precision": "date"}, -36, False),
            ({"status": "postponed"}, 48, True),
            ({"status": "postponed"}, -2, False),
            ({"status": "cancelled"}, 48, False),
            ({"status": "cancelled"}, -2, False),
            ({"status": "abandoned"}, -2, False),
            ({"goals": (2, 1)}, -2, False),
            ({"goals": (3, 0), "status": "awarded"}, -2, False),
        ],
    )
    def test_a_team_and_its_competition_agree_on_what_is_to_come(
        self, client, build, champion, fields, hours, is_to_come
    ):
        build.match(kickoff_at=build.now + timedelta(hours=hours), **fields)
        page = client.get("/teams/northgate/").content.decode()
        coming = re.search(r'id="coming".*?</section>', page, re.DOTALL)
        assert bool(coming and 'class="fx' in coming[0]) == is_to_come
        league = client.get("/competitions/aldermark-crown-league/").context["league"]
        assert bool(league.to_come) == is_to_come

    def test_competitions_and_teams_are_listed_and_found(self, client, today):
        assert "Crown League" in text_of(client.get("/competitions/"))
        assert "Harbour City" in text_of(client.get("/teams/harbour-city/"))
        found = client.get("/search/?q=harb", headers=HTMX).content.decode()
        assert 'href="/teams/harbour-city/"' in found
        assert "Northgate" not in found
        assert 'href="/competitions/aldermark-crown-league/"' in client.get("/search/?q=crown").content.decode()

    @pytest.mark.parametrize("q", ["", "%00", "%25", "<script>alert(1)</script>", "x" * 5000, "'; DROP TABLE", "\\"])
    def test_any_search_text_is_only_text(self, client, today, q):
        response = client.get("/search/", {"q": q.replace("%00", "\x00").replace("%25", "%")})
        assert response.status_code == 200
        assert "<script>alert" not in response.content.decode()

    @pytest.mark.parametrize("path", ["/competitions/nowhere/", "/teams/nobody/", "/nothing/"])
    def test_what_is_not_there_is_a_page(self, client, db, path):
        response = client.get(path)
        assert response.status_code == 404
        assert "To today’s matches" in text_of(response)

    def test_models_show_measures_gates_and_who_promoted(self, client, build, champion):
        build.version(
            2,
            gates=[{"name": "calibrated", "passed": False, "value": 1, "bound": 0, "reason": "ECE is high"}],
            metrics={},
        )
        page = text_of(client.get("/models/"))
        for said in ("1 champion", "0.9800", "✓ calibrated", "✗ calibrated", "changed to model 1", "first champion"):
            assert said in page

    def test_the_page_of_a_version_is_its_model_card(self, client, build, champion):
        candidate = build.version(2)
        build.comparison(candidate, champion)
        page = text_of(client.get("/models/sandbox/2/"))
        for said in (
            "Model 2 challenger",
            "Against model 1",
            "may take over",
            "900 matches",
            "0.97000",
            "✓ met",
            "Intended use",
            "A simulated football world: its clubs, matches and prices are invented",
            "Walk-forward evaluation on 500 matches",
            "Limitations",
            "1" * 64,
        ):
            assert said in page
        assert "Against" not in text_of(client.get("/models/sandbox/1/")).split("Limitations")[0].split("Gates")[0]
        listed = client.get("/models/").content.decode()
        assert 'href="/models/sandbox/2/"' in listed
        assert ">challenger<" in listed

    def test_versions_in_shadow_are_compared_with_the_champion_in_public(self, client, build, champion):
        assert "None at the moment. Challengers appear here" in text_of(client.get("/models/"))
        challenger = build.version(2)
        build.comparison(challenger, champion)
        assert "2 challenger 0 No match that both forecast has been graded yet." in text_of(client.get("/models/"))
        build.shadow(champion, challenger, p=(0.6, 0.2, 0.2))
        # −ln 0.6 = 0.5108; the score of the champion is given as 0.69.
        assert "2 challenger 1 0.5108 0.6900 −0.1792 too few matches" in text_of(client.get("/models/"))

    @pytest.mark.parametrize(
        "path", ["/models/sandbox/9/", "/models/real/1/", "/models/mars/1/", f"/models/real/{10**30}/"]
    )
    def test_a_version_that_there_is_not_is_not_found(self, client, build, champion, path):
        assert client.get(path).status_code == 404

    def test_about_names_the_sources(self, client, db):
        page = text_of(client.get("/about/"))
        assert "football-data.co.uk" in page
        assert "CC0" in page


class TestFeatures:
    @pytest.fixture
    def many(self, build):
        """A champion of 120 features in two families, two of prices."""
        rows = [{"name": f"form_{n:03}", "family": "form", "window": n % 7 or None, "side": "home"} for n in range(118)]
        rows += [{"name": f"odds_{n}", "family": "line", "inputs": "prices before the match"} for n in range(2)]
        rows = [{"side": "match"} | row for row in rows]
        rows[4]["meaning"] = "Corners <b>won</b>."
        version = build.version(catalogue=build.catalogue(*rows), columns=["form_004", "form_100"])
        build.promote(version)
        return version

    def test_each_feature_says_what_it_is_and_whether_it_is_read(self, client, champion):
        page = text_of(client.get("/features/"))
        for said in (
            "3 features",
            "1 used by the current model",
            "elo_diff used Home rating less away rating.",
            "rating points",
        ):
            assert said in page
        assert "prices before the match" in page
        assert 'href="/models/sandbox/1/"' in client.get("/features/").content.decode()

    def test_a_long_list_comes_in_pages_and_counts_every_family(self, client, many):
        page = client.get("/features/").content.decode()
        assert page.count('<th scope="row">') == 100
        assert '<span lang="en">form</span> 118' in page
        assert '<span lang="en">line</span> 2' in page
        assert 'href="/features/?page=2"' in page
        second = client.get("/features/?page=2").content.decode()
        assert second.count('<th scope="row">') == 20
        assert "101 to 120 of 120" in text_of(client.get("/features/?page=2"))

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("family=line", ["odds_0", "odds_1"]),
            ("inputs=prices+before+the+match", ["odds_0", "odds_1"]),
            ("read=1", ["form_004", "form_100"]),
            ("read=1&sort=window", ["form_100", "form_004"]),
            ("q=corners", ["form_004"]),
            ("q=form_01&side=home&sort=name", [f"form_01{n}" for n in range(10)]),
            ("family=line&side=home", []),
        ],
    )
    def test_the_list_can_be_narrowed_and_sorted(self, client, many, query, names):
        page = client.get(f"/features/?{query}", headers=HTMX).content.decode()
        assert re.findall(r"<code>(\w+)</code>", page) == names
        assert "<html" not in page
        assert "Corners <b>" not in page

    def test_a_family_keeps_the_other_choices_and_can_be_left_again(self, client, many):
        page = client.get("/features/?side=match&family=line").content.decode()
        assert 'href="/features/?side=match"' in page
        assert 'href="/features/?family=form&amp;side=match"' in page

    @pytest.mark.parametrize("query", ["page=0", "page=3", "page=x", "page=99999999", "sort=size", "world=mars"])
    def test_an_order_or_a_page_that_there_is_not_is_not_found(self, client, many, query):
        assert client.get(f"/features/?{query}").status_code == 404

    def test_before_the_first_champion_the_page_says_what_happens(self, client, build):
        assert "No model has passed its checks yet" in text_of(client.get("/features/"))
        build.promote(build.version())
        assert "is older than this list" in text_of(client.get("/features/"))


class TestZone:
    def test_a_chosen_zone_is_kept_and_can_be_forgotten(self, client, db):
        response = client.get("/zone/", {"zone": "Asia/Tokyo", "next": "/?day=2026-11-23"})
        assert response["Location"] == "/?day=2026-11-23"
        client.cookies["zone_here"] = "Europe/London"
        assert "Times in Tokyo" in text_of(client.get("/"))
        client.get("/zone/", {"zone": "", "next": "/"})
        assert "Times in London" in text_of(client.get("/"))

    @pytest.mark.parametrize("zone", ["../../etc/passwd", "Mars/Base", "\x00", "x" * 9999])
    def test_a_zone_that_there_is_not_counts_as_none(self, client, db, zone):
        assert client.get("/zone/", {"zone": zone}).status_code == 302
        client.cookies["zone_here"] = zone.replace("\x00", "0")
        assert "Times in UTC" in text_of(client.get("/"))

    @pytest.mark.parametrize(
        "back", ["https://example.org/", "//example.org", "javascript:alert(1)", "/\\example.org", ""]
    )
    def test_the_way_back_leads_nowhere_else(self, client, db, back):
        assert client.get("/zone/", {"zone": "UTC", "next": back})["Location"] == "/"


class TestEveryPage:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/competitions/",
            "/track-record/",
            "/models/",
            "/models/sandbox/1/",
            "/features/",
            "/about/",
            "/nothing/",
        ],
    )
    def test_no_page_carries_inline_script_or_style(self, client, today, path):
        response = client.get(path)
        body = response.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", body)
        assert "unsafe" not in response["Content-Security-Policy"]

    def test_a_match_page_carries_none_either(self, client, today):
        for match in today:
            assert not re.search(
                r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", client.get(f"/matches/{match.pk}/").content.decode()
            )

    def test_pages_ask_again_each_time_and_are_for_one_reader(self, client, today):
        response = client.get("/")
        assert {"private", "no-cache"} <= set(response["Cache-Control"].replace(" ", "").split(","))
        assert "Cookie" in response["Vary"]

    def test_a_page_is_read_only(self, client, db):
        for path in ("/", "/zone/", "/about/", "/search/"):
            assert client.post(path).status_code == 405

    def test_our_own_fault_names_the_request_and_nothing_else(self, client, db, monkeypatch):
        client.raise_request_exception = False
        monkeypatch.setattr("apps.ml.selectors.served_world", lambda: 1 / 0)
        response = client.get("/")
        assert response.status_code == 500
        assert response["X-Request-ID"] in response.content.decode()
        assert "division" not in response.content.decode()

    def test_a_database_that_is_away_is_said_plainly(self, client, db, monkeypatch):
        def away():
            raise OperationalError("connection to server failed")

        client.raise_request_exception = False
        monkeypatch.setattr("apps.ml.selectors.served_world", away)
        response = client.get("/")
        assert response.status_code == 503
        assert "The database does not answer" in response.content.decode()
