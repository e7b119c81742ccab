"""At 300,000 matches no query of a list, a page or a round of the tasks reads much more than what comes of it.

Each address is asked by the test client, and PostgreSQL explains every query behind the answer. A query may read ten
times the rows that it returns or that the page shows. Where it returns how many rows there are, it may read these.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext

from apps.api.metrics import ApiCollector
from apps.matches.models import Match, World
from apps.ml import selectors, services, serving
from apps.ml.forecasting import record
from apps.ml.metrics import ModelCollector
from apps.ml.models import ModelVersion, RecordSummary, ServedWorld
from apps.ml.selectors.health import RECENT
from apps.ml.services import seasons
from apps.scraping.metrics import ScrapingCollector
from apps.scraping.services.run_requests import request_scheduled_run
from benchmarks.queries import Answer, Explained, ask, explained

pytestmark = pytest.mark.scale

AT_MOST = 10
FLOOR = 20
"""Rows that a query may read ten times even where it finds fewer: a table of few rows is read whole."""

MANY, NAMES = 100, 900
"""A query that returns this many rows may read all teams or seasons, of which there are so many here."""

NOW = datetime.now(UTC).replace(microsecond=0)
API = "/api/v1/matches/"

# 36 real leagues of 20 seasons and 20 clubs, 4 simulated ones of 21 seasons: 380 matches each season, 305,520 in all.
# The latest season of each is under way. Where matches are dense, as in the simulated world, many kick off at once.
FILL = """
SET LOCAL session_replication_role = replica;
INSERT INTO matches_region (id, name) SELECT n, 'Region ' || n FROM generate_series(1, 20) n;
INSERT INTO matches_competition (id, region_id, name, slug, level, is_simulated)
    SELECT n, 1 + (n - 1) / 2, 'League ' || n, 'league-' || n, 1 + n %% 2, n > 36 FROM generate_series(1, 40) n;
INSERT INTO matches_season (id, competition_id, label, world)
    SELECT c.id * 100 + y, c.id, (%(year)s - y)::text, c.world
    FROM matches_competition c, generate_series(0, 20) y WHERE y < 20 OR c.is_simulated;
INSERT INTO matches_team (id, region_id, name, slug, full_name, short_name, other_names, code, first_colour,
        second_colour)
    SELECT c.id * 100 + n, c.region_id, 'Club ' || c.id || ' of ' || n, 'club-' || c.id || '-' || n,
        '', '', '', '', '', ''
    FROM matches_competition c, generate_series(0, 19) n;
INSERT INTO matches_ingest (id, world, source, started_at, finished_at, created, changed, same, refused, refusals,
        changed_facts)
    SELECT n, w, 'tests', %(now)s - (9 - n) * interval '1 month', %(now)s - (9 - n) * interval '1 month',
        1, 0, 0, 0, '[]', true
    FROM generate_series(1, 8) n, unnest(ARRAY['real']) w;
INSERT INTO matches_match (season_id, competition_id, world, round, home_team_id, away_team_id, occurrence, kickoff_at,
        kickoff_precision, known_at, status, is_neutral, result_source, home_goals, away_goals, revision, ingest_id,
        created_at, updated_at)
    SELECT season_id, competition_id, world, '', home, away, 1, at,
        CASE WHEN y > 6 AND world = 'real' THEN 'date' ELSE 'minute' END,
        CASE WHEN is_over THEN at + interval '2 hours' END,
        CASE WHEN is_over THEN 'finished' WHEN at < %(now)s OR n %% 97 = 0 THEN 'postponed' ELSE 'scheduled' END,
        false, 'tests', CASE WHEN is_over THEN n %% 4 END, CASE WHEN is_over THEN n %% 3 END, is_over::int,
        CASE WHEN y = 0 THEN 8 ELSE 1 END, at, at
    FROM (
        SELECT *, at < %(now)s - interval '2 hours' AND n %% 89 > 0 AS is_over FROM (
            SELECT s.id AS season_id, s.competition_id, s.world, n, s.id %% 100 AS y,
                s.competition_id * 100 + n / 19 AS home,
                s.competition_id * 100 + (n / 19 + 1 + n %% 19) %% 20 AS away,
                -- The leagues of one world kick off together; 200 of 380 matches of the latest season are played.
                CASE WHEN s.world = 'sandbox' THEN %(now)s + (n - 200) * interval '4 minutes'
                    ELSE date_trunc('day', %(now)s) + (n - 200) * interval '1 day'
                        + CASE WHEN s.id %% 100 > 6 THEN interval '0' ELSE interval '15 hours' END END
                    - (s.id %% 100) * interval '392 days' AS at
            FROM matches_season s, generate_series(0, 379) n
        ) AS dated
    ) AS stored;
INSERT INTO ml_modelversion (id, world, number, mlflow_run_id, estimator, inputs, profile, key, data_sha256,
        params_sha256, code_revision, data_snapshot, as_of, rows, trained_from, trained_to, metrics, gates, bundle,
        bundle_sha256, columns, created_at)
    SELECT n, w, 1, '', 'pool', 'no odds', 'smoke', n, '', '', '', 8, %(now)s, 1, %(now)s, %(now)s, '{}', '[]', '',
        '', '[]', %(now)s
    FROM unnest(ARRAY['real', 'sandbox']) WITH ORDINALITY AS worlds (w, n);
INSERT INTO ml_promotion (world, version_id, kind, decided_by, reason, decided_at)
    SELECT world, id, 'promote', 'system', 'first', %(now)s - interval '14 days' FROM ml_modelversion;
INSERT INTO ml_prediction (match_id, version_id, data_snapshot, as_of, published_at, kickoff_at, p_home, p_draw, p_away,
        home_expected_goals, away_expected_goals, rho, base_home, base_draw, base_away, features_sha256, contributions,
        degraded)
    SELECT m.id, v.id, n, at, at, m.kickoff_at, 0.5, 0.3, 0.2, 1.5, 1.1, 0, 0.45, 0.27, 0.28, n, '{}', ''
    FROM matches_match m JOIN ml_modelversion v ON v.world = m.world CROSS JOIN generate_series(1, 6) n,
        LATERAL (SELECT m.kickoff_at - interval '20 days' + n * interval '10 minutes' AS at) AS published
    WHERE m.kickoff_at BETWEEN %(now)s - interval '14 days' AND %(now)s + interval '15 days';
INSERT INTO ml_score (prediction_id, match_id, world, revision, outcome, log_loss, rps, brier, base_log_loss, base_rps,
        settled_at)
    SELECT DISTINCT ON (m.id) p.id, m.id, m.world, m.revision, 0, 0.7, 0.2, 0.4, 1.0, 0.23, %(now)s
    FROM ml_prediction p JOIN matches_match m ON m.id = p.match_id
    WHERE m.status = 'finished' ORDER BY m.id, p.published_at DESC;
INSERT INTO matches_odds (match_id, bookmaker, moment, home, draw, away)
    SELECT m.id, b, 'closing', 1.9, 3.5, 4.2 FROM matches_match m, unnest(ARRAY['PS', 'B365', 'Avg']) b
    WHERE m.season_id %% 100 = 0;
INSERT INTO ml_backtest (match_id, version_id, as_of, p_home, p_draw, p_away)
    SELECT m.id, v.id, m.kickoff_at, 0.5, 0.3, 0.2 FROM matches_match m JOIN ml_modelversion v ON v.world = m.world
    WHERE m.status = 'finished';
INSERT INTO ml_teamrating (world, team_id, competition_id, version_id, step_at, as_of, place, attack, defence, p_win,
        p_draw)
    SELECT c.world, t.id, c.id, v.id, at, at, row_number() OVER (PARTITION BY c.world, at ORDER BY t.id), 1.5, 1.2,
        0.4, 0.3
    FROM matches_team t JOIN matches_competition c ON c.id = t.id / 100 JOIN ml_modelversion v ON v.world = c.world,
        generate_series(%(now)s - interval '1820 days', %(now)s, interval '7 days') at;
SET LOCAL session_replication_role = origin;
ANALYZE;
"""


def allowed(shown: int, query: Explained) -> int:
    """Return how many rows a query may read."""
    return AT_MOST * max(FLOOR, shown, query.returned, query.counted) + (NAMES if query.returned >= MANY else 0)


def too_dear(answers, *, more: int = 0) -> list[str]:
    """Return the queries that read too much, each in a line."""
    return [
        f"{answer.address}: shows {answer.shown}, reads {query.read}, returns {query.returned}, "
        f"counts {query.counted}: {query.sql[:160]} … {query.sql[-400:]}"
        for answer in answers
        for query in answer.queries
        if query.read > allowed(answer.shown, query) + more
    ]


def lists_of_matches(path=API):
    """Yield every combination of filters of a list of matches, or of one of what belongs to them."""
    past, ahead = (NOW - timedelta(days=2000)).date(), (NOW + timedelta(days=3)).date()
    choices = {
        "world": ("", "real", "sandbox"),
        "competition": ("", "league-3", "league-38"),
        "team": ("", "club-3-7", "club-38-7"),
        "status": ("", "scheduled", "finished"),
        "from": ("", past, ahead),
        "to": ("", past + timedelta(days=20)),
    }
    for values in product(*choices.values()):
        yield path + "?" + "&".join(f"{name}={value}" for name, value in zip(choices, values, strict=True) if value)


def pages():
    """Yield the addresses of pages of both worlds, and of details that pages and lists link to.

    Not the search: a part of a name is looked for in all names.
    """
    yesterday, long_ago = (NOW - timedelta(days=1)).date(), (NOW - timedelta(days=4100)).date()
    yield from ("/", f"/?day={yesterday}", f"/?day={long_ago}", "/?day=1900-01-01", "/?day=2100-01-01")
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        yield f"/zone/?zone={zone}&next=/"
    for world, league in ((World.REAL, 3), (World.SANDBOX, 38)):
        yield from (f"/?world={world}", f"/?world={world}&day={yesterday}&competition=league-{league}")
        yield f"/calendar/?world={world}"
        yield from (f"/competitions/?world={world}", f"/competitions/league-{league}/")
        yield f"/competitions/league-{league}/?season={NOW.year - 12}"
        yield from (f"/teams/club-{league}-7/", f"/models/?world={world}", f"/models/{world}/1/")
        yield from (f"/features/?world={world}", f"/what-if/?home=club-{league}-7")
        yield from (f"/track-record/?world={world}", f"/ratings/?world={world}")
        for of in ("", f"&competition=league-{league}"):
            yield from (f"/track-record/?world={world}&of=back-tests{of}{more}" for more in ("", f"&until={long_ago}"))
        yield from (f"/ledger/?world={world}", f"/api/v1/events/?world={world}", f"/api/v1/ledger/?world={world}")
        of = Match.objects.filter(competition=league)
        for status in ("finished", "postponed"):
            found = of.filter(status=status).order_by("-kickoff_at").first()
            yield from (f"/matches/{found.pk}/", f"{API}{found.pk}/")
        forecast = of.filter(predictions__isnull=False, status="scheduled").order_by("kickoff_at").first()
        yield from (f"/matches/{forecast.pk}/", f"{API}{forecast.pk}/", f"{API}{forecast.pk}/prediction/")


def serve(world: World) -> None:
    ServedWorld.objects.update_or_create(pk=1, defaults={"world": world, "chosen_at": NOW})


@override_settings(
    STORAGES=settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
)
class TestRowsThatAreRead(TestCase):
    @classmethod
    def setUpTestData(cls):
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"now": NOW, "year": NOW.year})
        assert Match.objects.count() > 300_000
        for version_id, world in ModelVersion.objects.values_list("pk", "world"):
            content = record.summary(selectors.graded_back_tests(version_id))
            RecordSummary.objects.create(
                world=world, is_back_tested=True, version_id=version_id, content=content, computed_at=NOW, seconds=1.0
            )
        services.summarize_due(now=NOW)

    @pytest.fixture(autouse=True)
    def _prepare(self, tmp_path, monkeypatch):
        self.monkeypatch = monkeypatch
        with override_settings(STATIC_ROOT=tmp_path):
            yield

    def test_no_list_of_the_api_reads_more_than_ten_times_what_it_shows(self):
        answers = []
        for world in World:
            serve(world)
            # What names a world, a competition or a team is the same list whichever world is shown first.
            answers += [
                ask(self.client, address)
                for address in lists_of_matches()
                if world == World.REAL or not {"world", "competition", "team"} & set(re.split(r"\W", address))
            ]
        assert not too_dear(answers)
        assert sum(answer.shown == 50 for answer in answers) > 20

    def test_no_deep_page_of_a_list_reads_more_than_ten_times_what_it_shows(self):
        since = (NOW - timedelta(days=3000)).date()
        narrow = ("world=real", "world=sandbox", "competition=league-3", "team=club-3-7", "status=finished")
        answers = []
        for query in (*narrow, "world=real&page_size=1"):
            address = f"{API}?{query}&from={since}"
            for link in ("next", "next", "next", "previous"):
                address = self.client.get(address).json()[link]
                answers.append(ask(self.client, address))
        assert not too_dear(answers)
        assert all(answer.shown for answer in answers)

    def test_no_list_of_forecasts_or_scores_reads_more_than_ten_times_what_it_shows(self):
        answers = [
            ask(self.client, address + more)
            for path in ("/api/v1/predictions/", "/api/v1/scores/")
            for address in lists_of_matches(path)
            for more in ("", "&ordering=-kickoff_at", "&model=1&page_size=5")
            if "world" in address
        ]
        assert not too_dear(answers)
        assert sum(answer.shown == 50 for answer in answers) > 20

    def test_no_deep_page_of_forecasts_reads_more_than_ten_times_what_it_shows(self):
        address = "/api/v1/predictions/?world=sandbox&page_size=20"
        answers = []
        for link in ("next", "next", "next", "previous"):
            address = self.client.get(address).json()[link]
            answers.append(ask(self.client, address))
        assert not too_dear(answers)
        assert all(answer.shown == 20 for answer in answers)

    def test_no_list_of_discovery_reads_more_than_ten_times_what_it_shows(self):
        lists = ("competitions", "teams", "seasons", "models", "season-forecasts", "sources", "seasons")
        answers = [ask(self.client, f"/api/v1/{name}/?page_size=100") for name in lists]
        answers += [ask(self.client, f"/api/v1/{name}/?world=real") for name in lists if name != "sources"]
        answers += [ask(self.client, "/api/v1/seasons/?competition=league-3&ordering=season")]
        answers += [ask(self.client, self.client.get("/api/v1/teams/?world=real&page_size=50").json()["next"])]
        assert not too_dear(answers)

    def test_a_batch_reads_each_match_and_team_a_few_times(self):
        items = list(Match.objects.filter(predictions__isnull=False).values_list("pk", flat=True).distinct()[:1000])
        items += [{"home": f"club-3-{n}", "away": f"club-4-{n}"} for n in range(20)]
        with CaptureQueriesContext(connection) as captured:
            results = self.client.post(
                "/api/v1/predictions/batch/", {"items": items}, content_type="application/json"
            ).json()["results"]
        answer = Answer("batch", len(results), explained(captured))
        assert not too_dear([answer])

    def test_no_page_reads_more_than_ten_times_what_it_shows(self):
        for world in World:
            serve(world)
            answers = [ask(self.client, address, follow=True) for address in pages()]
            assert not too_dear(answers)

    @override_settings(ROOT_URLCONF="tests.db.admin_urls")
    def test_no_list_of_the_admin_reads_more_than_ten_times_what_it_shows(self):
        self.client.force_login(get_user_model().objects.create_superuser("operator"))
        match, addresses = "/admin/matches/match/", ["/admin/"]
        addresses += [match, f"{match}?p=6", f"{match}?world=real", f"{match}?world=sandbox&p=6"]
        addresses += [f"{match}?status__exact=scheduled", f"{match}?world=sandbox&status__exact=finished"]
        addresses += [f"{match}?status__exact=postponed&o=1"]
        addresses += ["/admin/ml/prediction/", "/admin/ml/prediction/?p=6", "/admin/ml/score/"]
        addresses += ["/admin/matches/matchchange/", "/admin/matches/event/", "/admin/matches/ingest/"]
        assert not too_dear([ask(self.client, address) for address in addresses])

    def test_no_scrape_of_the_metrics_reads_more_than_the_matches_of_a_week(self):
        of_a_week = Match.objects.filter(kickoff_at__gt=NOW - timedelta(days=7), kickoff_at__lt=NOW).count()
        with CaptureQueriesContext(connection) as captured:
            for collector in (ApiCollector(), ModelCollector(), ScrapingCollector()):
                list(collector.collect())
        assert not too_dear([Answer("metrics", RECENT, explained(captured))], more=2 * of_a_week)

    def test_no_round_of_the_tasks_reads_more_than_ten_times_what_is_due(self):
        served = {"version_number": 1, "data_snapshot": 6, "degraded": ""}

        def current(world, **options):
            return SimpleNamespace(**served, world=world, version_id=1 + (world == World.SANDBOX))

        def visits() -> None:
            for source in ("sandbox", "football-data"):
                request_scheduled_run(source=source, scope="odds", now=NOW)

        self.monkeypatch.setattr(serving, "current", current)
        self.monkeypatch.setattr(seasons, "_is_due", lambda *details: False)
        rounds = {
            "predict": lambda: services.predict_due(now=NOW),
            "settle": lambda: services.settle_due(now=NOW.replace(minute=30)),
            "simulate": lambda: services.simulate_due(now=NOW),
            "compare": lambda: services.compare_due(now=NOW),
            "retrain": lambda: services.retrain_due(now=NOW),
            "shadow": lambda: services.shadow_due(now=NOW),
            "promote": lambda: services.promote_due(now=NOW),
            "fall back": lambda: services.fall_back_due(now=NOW),
            "visit": visits,
        }
        answers = []
        for name, work in rounds.items():
            with CaptureQueriesContext(connection) as captured:
                work()
            answers.append(Answer(name, 0, explained(captured)))
        assert not too_dear(answers, more=NAMES)
