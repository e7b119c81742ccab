"""A small world with forecasts, for pages, REST and push."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import trans_real

from apps.api import written
from apps.api.pages.parts import PARTS
from apps.api.templatetags import league, spai
from apps.matches.models import Competition, Event, Ingest, Match, Odds, Region, Season, Team, World
from apps.matches.records import result_known_at
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.forecasting import record
from apps.ml.models import (
    BackTest,
    ClosingGap,
    Comparison,
    FeatureCatalogue,
    ModelVersion,
    PipelineRun,
    Prediction,
    Promotion,
    RecordSummary,
    Score,
    SeasonForecast,
    ShadowForecast,
    TeamRating,
)
from apps.ml.services import LiveForecast
from tests import missed_texts

HERE = Path(__file__).resolve().parent
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _plain_static(settings, tmp_path):
    """Static files under their own names: a manifest exists only after `collectstatic`."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


class Builder:
    """Makes rows; numbers that are not given have fixed values."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.ingest = Ingest.objects.create(
            world=World.SANDBOX, source="tests", started_at=self.now, finished_at=self.now, changed_facts=True
        )

    def season(
        self, name: str = "Crown League", *, simulated: bool = True, label: str = "2026-27", level: int = 1
    ) -> Season:
        region, _ = Region.objects.get_or_create(name="Aldermark" if simulated else "England")
        slug = f"{region.name}-{name}".lower().replace(" ", "-")
        competition, _ = Competition.objects.get_or_create(
            region=region, name=name, defaults={"slug": slug, "level": 1, "is_simulated": simulated}
        )
        return Season.objects.get_or_create(competition=competition, label=label)[0]

    def team(self, name: str, *, region: Region) -> Team:
        slug = slugify(name)
        return Team.objects.get_or_create(region=region, name=name, defaults={"slug": slug})[0]

    def match(
        self,
        home: str = "Northgate",
        away: str = "Old Mill",
        *,
        season: Season | None = None,
        kickoff_at=None,
        goals: tuple[int, int] | None = None,
        **fields,
    ) -> Match:
        season = season or self.season()
        region = season.competition.region
        kickoff_at = kickoff_at or self.now + timedelta(hours=1)
        precision = fields.get("kickoff_precision", "minute")
        result = {}
        if goals is not None:
            result = {
                "home_goals": goals[0],
                "away_goals": goals[1],
                "status": "finished",
                "known_at": result_known_at(kickoff_at, precision, None),
                "revision": 1,
            }
        teams = {"home_team": self.team(home, region=region), "away_team": self.team(away, region=region)}
        occurrence = 1 + Match.objects.filter(season=season, **teams).count()
        return Match.objects.create(
            season=season,
            occurrence=occurrence,
            kickoff_at=kickoff_at,
            ingest=self.ingest,
            created_at=self.now,
            updated_at=self.now,
            **teams,
            **{**result, **fields},
        )

    def version(self, number: int = 1, *, world: World = World.SANDBOX, **fields) -> ModelVersion:
        measures = {"n": 500, "log_loss": 0.98, "rps": 0.2, "brier": 0.58, "accuracy": 0.52, "ece": 0.01}
        values = {
            "mlflow_run_id": "0" * 32,
            "estimator": "elo_logit",
            "profile": "smoke",
            "key": hashlib.sha256(f"{world}{number}".encode()).hexdigest(),
            "data_sha256": "1" * 64,
            "params_sha256": "2" * 64,
            "code_revision": "src-1",
            "data_snapshot": self.ingest.pk,
            "as_of": self.now,
            "rows": 4224,
            "trained_from": self.now.date() - timedelta(days=900),
            "trained_to": self.now.date(),
            "metrics": {"models": {"elo_logit": measures, "base_rates": measures | {"rps": 0.23}}},
            "gates": [{"name": "calibrated", "passed": True, "value": 0.01, "bound": 0.02, "reason": "ECE 0.01"}],
            "bundle": b"zip",
            "bundle_sha256": "3" * 64,
            "created_at": self.now,
        }
        return ModelVersion.objects.create(world=world, number=number, **(values | fields))

    def catalogue(self, *rows: dict) -> FeatureCatalogue:
        """What some features mean; two of Elo and one of prices where none are given."""
        given = rows or (
            {"name": "elo_home", "side": "home", "meaning": "Rating of the home side."},
            {"name": "elo_diff", "side": "diff", "meaning": "Home rating less away rating."},
            {"name": "odds_home", "family": "line", "side": "match", "inputs": "prices before the match"},
        )
        plain = {
            "family": "elo",
            "scope": "all",
            "window": None,
            "unit": "rating points",
            "meaning": "What it means.",
            "inputs": "no odds",
        }
        features = [plain | row for row in given]
        sha256 = hashlib.sha256(json.dumps(features).encode()).hexdigest()
        return FeatureCatalogue.objects.get_or_create(
            sha256=sha256, defaults={"features": features, "created_at": self.now}
        )[0]

    def comparison(self, candidate: ModelVersion, champion: ModelVersion, **fields) -> Comparison:
        line = {"candidate": 0.97, "champion": 0.98, "difference": -0.01, "low": -0.02, "high": -0.001, "bound": 0.001}
        lines = [
            {"name": "log loss", "passed": True, "reason": "lower by 0.01 nats", **line},
            {"name": "schema", "passed": True, "reason": "all are described", **dict.fromkeys(line)},
        ]
        values = {
            "verdict": "challenger",
            "reason": "all 2 criteria are met on 900 matches",
            "criteria": lines,
            "n": 900,
            "rules": {},
            "key": "5" * 64,
            "decided_at": self.now,
        }
        return Comparison.objects.create(
            world=candidate.world, candidate=candidate, champion=champion, **(values | fields)
        )

    def promote(self, version: ModelVersion) -> Promotion:
        return Promotion.objects.create(
            world=version.world,
            version=version,
            previous=None,
            kind="promote",
            decided_by="system",
            reason="first champion",
            decided_at=self.now - timedelta(days=2),
        )

    def prediction(
        self,
        match: Match,
        version: ModelVersion,
        p: tuple[float, float, float] = (0.5, 0.3, 0.2),
        *,
        before_kickoff: timedelta = timedelta(minutes=10),
        data_snapshot: int = 1,
        **fields,
    ) -> Prediction:
        """Publish a forecast; of a match that has kicked off already, as if it had been then.

        The database refuses a forecast after kick-off by its own clock, so that the kick-off moves for the moment.
        """
        published_at = min(match.kickoff_at - before_kickoff, self.now)
        real = match.kickoff_at
        unplayed = {"known_at": None, "home_goals": None, "away_goals": None, "status": "scheduled"}
        Match.objects.filter(pk=match.pk).update(kickoff_at=datetime.now(UTC) + timedelta(hours=1), **unplayed)
        values = {
            "data_snapshot": data_snapshot,
            "as_of": published_at,
            "published_at": published_at,
            "kickoff_at": max(real, published_at + timedelta(minutes=1)),
            "home_expected_goals": 1.6,
            "away_expected_goals": 1.1,
            "base_home": 0.45,
            "base_draw": 0.27,
            "base_away": 0.28,
            "features_sha256": "4" * 64,
            "contributions": {"elo": 0.41, "form": -0.11},
        }
        found = Prediction.objects.create(
            match=match, version=version, p_home=p[0], p_draw=p[1], p_away=p[2], **(values | fields)
        )
        match.save(force_update=True)
        return found

    def shadow(
        self, champion: ModelVersion, challenger: ModelVersion, *, p: tuple[float, float, float], **fields
    ) -> Match:
        """Play a match that the champion forecast and a challenger in shadow with `p`; the home side won."""
        match = self.match(kickoff_at=self.now + timedelta(hours=1), **fields)
        prediction = self.prediction(match, champion)
        # By its own clock the database leaves out a shadow after kick-off.
        Match.objects.filter(pk=match.pk).update(kickoff_at=datetime.now(UTC) + timedelta(hours=1))
        named = dict(zip(("p_home", "p_draw", "p_away"), p, strict=True))
        ShadowForecast.objects.create(prediction=prediction, version=challenger, made_at=self.now, **named)
        result = {"status": "finished", "home_goals": 1, "away_goals": 0, "revision": 1}
        known_at = match.kickoff_at + timedelta(hours=3)
        Match.objects.filter(pk=match.pk).update(kickoff_at=match.kickoff_at, known_at=known_at, **result)
        prediction.match.refresh_from_db()
        self.score(prediction)
        return match

    def score(self, prediction: Prediction, *, rps: float = 0.19, base_rps: float = 0.23) -> Score:
        match = prediction.match
        return Score.objects.create(
            prediction=prediction,
            match=match,
            world=prediction.version.world,
            revision=match.revision,
            outcome=match.outcome,
            log_loss=0.69,
            rps=rps,
            brier=0.38,
            base_log_loss=1.05,
            base_rps=base_rps,
            market_log_loss=0.68,
            market_rps=0.18,
            settled_at=self.now,
        )

    def odds(self, match: Match, bookmaker: str = "PS", moment: str = "closing", prices=(1.9, 3.5, 4.2)) -> Odds:
        home, draw, away = prices
        return Odds.objects.create(match=match, bookmaker=bookmaker, moment=moment, home=home, draw=draw, away=away)

    def record(self, version: ModelVersion) -> None:
        """Compute the record, give each finished match a back-test with a record of these, and rate all clubs."""
        RecordSummary.objects.filter(is_back_tested=False).delete()
        ml_services.summarize_due(now=self.now)
        BackTest.objects.all().delete()
        for match in Match.objects.filter(status="finished"):
            BackTest.objects.create(
                match=match, version=version, as_of=match.kickoff_at, p_home=0.6, p_draw=0.25, p_away=0.15
            )
        content = record.summary(ml_selectors.graded_back_tests(version.pk))
        RecordSummary.objects.update_or_create(
            world=version.world,
            is_back_tested=True,
            defaults={"version": version, "content": content, "computed_at": self.now, "seconds": 0.1},
        )
        TeamRating.objects.all().delete()
        for place, team in enumerate(Team.objects.order_by("id"), start=1):
            for step_at in (self.now, self.now - timedelta(days=1)):
                TeamRating.objects.create(
                    world=version.world,
                    team=team,
                    competition=Competition.objects.filter(region=team.region_id).first(),
                    version=version,
                    step_at=step_at,
                    as_of=step_at,
                    place=place,
                    attack=2.0 / place,
                    defence=1.0,
                    p_win=0.7 / place,
                    p_draw=0.2,
                )

    def run(self, **fields) -> PipelineRun:
        values = {
            "world": World.SANDBOX,
            "status": "running",
            "as_of": self.now,
            "profile": "smoke",
            "requested_by": "system",
            "created_at": self.now,
        }
        return PipelineRun.objects.create(**(values | fields))

    def gap(self, version: ModelVersion | None, run: PipelineRun | None, **content) -> ClosingGap:
        """The gap to the closing line as the services compute it: 120 matches live, 500 back-tested."""

        def side(n: int, mean: float) -> dict:
            interval = {"mean": mean, "low": round(mean - 0.02, 4), "high": round(mean + 0.02, 4)}
            return {"n": n, "of": n, "log_loss": interval, "rps": interval, "points": 38.0 * mean}

        difference = side(0, 0.005)
        values = {
            "live": side(120, 0.02),
            "back_test": side(500, 0.015) | {"from": 1754596800, "to": 1779580800},
            "difference": {name: difference[name] for name in ("log_loss", "rps", "points")},
            "power": {
                "difference": 0.01,
                "points": 0.38,
                "power": 0.8,
                "level": 0.95,
                "needed": 2465,
                "more": 2345,
                "seen": 0.03,
                "limit": 0.008,
            },
        }
        return ClosingGap.objects.create(
            world=World.SANDBOX,
            version=version,
            run_id=run.pk if run else None,
            content=values | content,
            computed_at=self.now,
        )

    def event(self, number: int | None, topic: str = "match.changed", key: str = "1", **payload) -> Event:
        return Event.objects.create(number=number, topic=topic, key=key, payload=payload, created_at=self.now)

    def season_end(self, season: Season, version: ModelVersion, teams: list[str], **fields) -> SeasonForecast:
        """Simulate a season: of n teams the first is champion in half of all cases, and so on, halving."""
        n = len(teams)
        halves = [0.5 ** (k + 1) for k in range(n - 1)]
        shares = [*halves, 1.0 - sum(halves)]
        clubs = [
            {
                "team": self.team(name, region=season.competition.region).pk,
                "points": 10 - k,
                "expected": 40.25 - k,
                "low": 30 - k,
                "high": 50 - k,
                "chances": {"title": shares[k], "down": shares[-k - 1]},
                "places": shares[k:] + shares[:k],
            }
            for k, name in enumerate(teams)
        ]
        lines = [
            {"name": "title", "places": 1, "from_end": False},
            {"name": "down", "places": 1, "from_end": True},
        ]
        values = {
            "data_snapshot": 1,
            "as_of": self.now,
            "simulations": 10_000,
            "doubt": 0.4,
            "played": 10,
            "remaining": 122,
            "undated": 0,
            "is_whole": True,
            "table": {"lines": lines, "clubs": clubs},
        }
        return SeasonForecast.objects.create(season=season, version=version, **(values | fields))

    def round(self, season: Season, *, finished: int, coming: int, version: ModelVersion) -> list[Match]:
        """Fill a season: matches of today around now, each forecast, priced, and graded where it is over."""
        teams = [f"{season.competition.name} {n}" for n in range(8)]
        found = []
        for n in range(finished + coming):
            is_over = n < finished
            at = self.now - timedelta(minutes=10 + n) if is_over else self.now + timedelta(minutes=10 + n)
            match = self.match(
                teams[n % 8],
                teams[(n + 1 + n // 8) % 8],
                season=season,
                kickoff_at=at,
                goals=(2, 1) if is_over else None,
            )
            prediction = self.prediction(match, version)
            if is_over:
                self.score(prediction)
            self.odds(match)
            found.append(match)
        return found


@pytest.fixture
def marked(monkeypatch):
    """German is English in marks, so that a text without them did not come through gettext."""
    kept = (written.number_forms, spai._bars, spai.row_of, league._strip)

    def forget() -> None:
        PARTS.clear()
        for function in kept:
            function.cache_clear()

    monkeypatch.setitem(trans_real._translations, "de", missed_texts.Marked())
    forget()
    yield
    forget()


@pytest.fixture
def noon(monkeypatch) -> datetime:
    """Django's clock stands at a noon, so that a day has room on both sides; the database keeps its own."""
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    return NOON


@pytest.fixture
def build(db, noon) -> Builder:
    return Builder(noon)


@pytest.fixture
def champion(build):
    """The version that forecasts the simulated world."""
    version = build.version(catalogue=build.catalogue(), columns=["elo_diff"])
    build.promote(version)
    return version


INTERVALS = {
    "level": 0.8,
    "home": {"low": 0.4421, "high": 0.5577},
    "draw": {"low": 0.2712, "high": 0.3244},
    "away": {"low": 0.1523, "high": 0.2618},
}
"""The intervals of a forecast, as they are stored and sent."""


def made_now(champion: ModelVersion, match_id: int | None, now: datetime) -> LiveForecast:
    """A forecast that the loaded champion makes when it is asked."""
    return LiveForecast(
        match_id=match_id,
        version_number=champion.number,
        data_snapshot=5,
        as_of=now,
        p_home=0.5,
        p_draw=0.3,
        p_away=0.2,
        home_expected_goals=1.6,
        away_expected_goals=1.1,
        rho=0.0,
        base_home=0.45,
        base_draw=0.27,
        base_away=0.28,
        contributions={"elo": 0.4},
        weaknesses=[{"code": "new_club", "side": "home", "number": 4}],
        intervals=INTERVALS,
        degraded="",
    )


@pytest.fixture
def answers(monkeypatch, champion):
    """The loaded champion answers for matches that are stored nowhere."""
    monkeypatch.setattr(ml_services, "what_if", lambda match, *, now: made_now(champion, None, now))


def read_json(name: str) -> dict:
    return json.loads((HERE / name).read_text())


def write_json(name: str, content: dict) -> None:
    (HERE / name).write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


@pytest.fixture
def today(build, champion):
    """A finished, a live and a coming match around now, forecast and priced."""
    over = build.match("Northgate", "Old Mill", kickoff_at=build.now - timedelta(minutes=30), goals=(2, 1))
    build.score(build.prediction(over, champion, (0.456, 0.272, 0.272)))
    live = build.match("Redfield", "Lakeside", kickoff_at=build.now - timedelta(minutes=1), status="live")
    build.prediction(live, champion)
    coming = build.match("Harbour City", "Kingsmoor", kickoff_at=build.now + timedelta(minutes=1))
    build.prediction(coming, champion, (0.7, 0.2, 0.1), before_kickoff=timedelta(hours=2))
    # Prices without a margin: 1/2, 1/4, 1/4 is what they say.
    build.odds(coming, prices=(2.0, 4.0, 4.0))
    return over, live, coming


HTMX = {"HX-Request": "true"}


def text_of(response) -> str:
    """The text of a page, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
