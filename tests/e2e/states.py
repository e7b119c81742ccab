"""A competition with a match in every state, played by teams with long names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from apps.matches.models import Match
from apps.ml.models import ModelVersion, PolicyRevision, RetrainingDecision, ShadowForecast
from tests.factories import ContradictionFactory
from tests.web.conftest import Builder

LONGEST = ("W" * 120, ("Association Sportive et Culturelle " * 4)[:119] + "s")
"""Names of 120 letters, as many as are allowed: one word, and several."""
TEAMS = (
    "Wolverhampton Wanderers",
    "Borussia Mönchengladbach",
    "Brighton & Hove Albion",
    "1. FC Kaiserslautern",
    *LONGEST,
)
LINES = [
    {"name": "title", "places": 1, "from_end": False},
    {"name": "first", "places": 2, "from_end": False},
    {"name": "second", "places": 3, "from_end": False},
    {"name": "play_off", "places": 2, "from_end": True},
    {"name": "down", "places": 1, "from_end": True},
]


@dataclass(frozen=True, slots=True)
class States:
    """What was stored: a match for each state, by its name, and the champion."""

    matches: dict[str, Match]
    champion: ModelVersion

    @property
    def pages(self) -> list[str]:
        """Every page for people, with rows in every state on those that list matches."""
        team = self.matches["coming"].home_team.slug
        days = sorted({f"{match.kickoff_at:%Y-%m-%d}" for match in self.matches.values()})
        return [
            "/",
            *(f"/?day={day}&competition=aldermark-crown-league" for day in days),
            "/competitions/",
            "/competitions/aldermark-crown-league/",
            f"/teams/{team}/",
            *(f"/teams/{match.away_team.slug}/" for match in (self.matches["live"], self.matches["late"])),
            *(f"/matches/{match.pk}/" for match in self.matches.values()),
            "/track-record/",
            "/track-record/?of=back-tests",
            "/ratings/",
            "/ledger/",
            "/follow/",
            "/models/",
            f"/models/sandbox/{self.champion.number}/",
            "/models/sandbox/2/",
            "/features/",
            f"/what-if/?home={team}&away={self.matches['coming'].away_team.slug}",
            "/what-if/?home=w&away=b",
            "/search/?q=w",
            "/search/?q=nobody",
            "/calendar/",
            "/zone/",
            "/about/",
            "/nothing/",
        ]


def every_state(build: Builder) -> States:
    """Store a match in every state around now."""
    names = {
        "log_loss": 0.98, "rps": 0.2, "brier": 0.58, "accuracy": 0.52, "ece": 0.01, "n": 911
    }  # fmt: skip
    metrics = {"models": {"elo_logit": names, "base_rates": names | {"rps": 0.23}}, "test": {"from": "2024-08-01"}}
    metrics["test"]["to"] = str(date(2026, 11, 1))
    gates = [
        {"name": name, "passed": passed, "value": 0.01, "bound": 0.02, "reason": "ECE 0.01, at most 0.02"}
        for name, passed in (("better than base rates", True), ("calibrated", True), ("no better than possible", False))
    ]
    champion = build.version(metrics=metrics, gates=gates, catalogue=build.catalogue(), columns=["elo_diff"], rows=3144)
    build.promote(champion)
    candidate = build.version(2, metrics=metrics, rows=3144)
    build.comparison(candidate, champion)
    build.run(status="succeeded", stages=[{"name": "export", "status": "succeeded", "seconds": 12.5}] * 8)
    moment = {"world": candidate.world, "decided_at": build.now}
    PolicyRevision.objects.create(changes={"promote.mode": "automatic"}, decided_by="ada", reason="a test", **moment)
    trigger = {"name": "time", "is_due": False, "reason": "the newest training began 2.0 days ago"}
    RetrainingDecision.objects.create(
        answer="no", cause="no reason", reason=trigger["reason"], triggers=[trigger], latest_at=build.now, **moment
    )
    build.season("Premier League", simulated=False)
    season = build.season()
    build.season(label="2025-26")
    found: dict[str, Match] = {}

    def add(state: str, minutes: float, p: tuple[float, float, float] | None, **fields) -> None:
        n = len(found)
        home, away = TEAMS[n % 6], TEAMS[(n + 1 + n // 6) % 6]
        at = build.now + timedelta(minutes=minutes)
        found[state] = match = build.match(home, away, season=season, kickoff_at=at, **fields)
        if p is None:
            return
        for earlier in (3, 2, 1):
            q = (p[0] - 0.01 * earlier, p[1] + 0.01 * earlier, p[2])
            build.prediction(match, champion, q, before_kickoff=timedelta(hours=earlier), data_snapshot=earlier)
        prediction = build.prediction(match, champion, p, data_snapshot=9)
        build.odds(match)
        if match.home_goals is not None and match.status == "finished":
            likeliest = max(range(3), key=p.__getitem__) == match.outcome
            # The favourite that won was nevertheless forecast less well than the base rates would have.
            build.score(prediction, rps=0.25 if likeliest else 0.53, base_rps=0.23)

    add("favourite won", -150, (0.45, 0.30, 0.25), goals=(2, 1))
    add("favourite lost", -170, (0.63, 0.20, 0.17), goals=(0, 2))
    add("unforecast", -190, None, goals=(1, 3))
    add("live", -40, (0.66, 0.19, 0.15), status="live")
    add("live, no forecast", -41, None, status="live")
    add("started", -20, (0.48, 0.26, 0.26))
    add("late", -600, (0.48, 0.26, 0.26))
    add("coming", 45, (0.06, 0.04, 0.90))
    add("coming, unforecast", 50, None)
    add("abandoned", -200, (0.5, 0.3, 0.2), goals=(1, 0), status="abandoned")
    add("abandoned, no goals", -210, (0.5, 0.3, 0.2), status="abandoned")
    add("postponed", 55, (0.5, 0.3, 0.2), status="postponed")
    add("cancelled", 56, (0.5, 0.3, 0.2), status="cancelled")
    add("awarded", -230, (0.5, 0.3, 0.2), goals=(3, 0), status="awarded")
    extra = {"home_goals_extra_time": 2, "away_goals_extra_time": 2, "home_penalties": 5, "away_penalties": 4}
    halves = {"home_goals_half_time": 1, "away_goals_half_time": 0}
    add("penalties", -250, (0.5, 0.3, 0.2), goals=(1, 1), round="Round of the last sixteen", **extra, **halves)
    midnight = build.now.replace(hour=0, minute=0, second=0) - build.now
    day = {"kickoff_precision": "date"}
    add("dated", midnight / timedelta(minutes=1) + 3 * 1440, (0.5, 0.3, 0.2), **day)
    add("dated, past", midnight / timedelta(minutes=1) - 3 * 1440, (0.5, 0.3, 0.2), **day)
    shadowed = champion.predictions.filter(match=found["coming"]).latest("published_at")
    ShadowForecast.objects.create(
        prediction=shadowed, version=candidate, p_home=0.1, p_draw=0.1, p_away=0.8, made_at=build.now
    )
    ContradictionFactory(match=found["favourite lost"])
    build.season_end(
        season,
        champion,
        list(TEAMS),
        table={
            "lines": LINES,
            "clubs": [
                {
                    "team": build.team(name, region=season.competition.region).pk,
                    "points": 40 - n,
                    "expected": 80.25 - n,
                    "low": 70 - n,
                    "high": 91 - n,
                    "chances": {line["name"]: 0.999 - 0.15 * n for line in LINES},
                    "places": [0.5 if n == place else 0.1 for place in range(6)],
                }
                for n, name in enumerate(TEAMS)
            ],
        },
    )
    build.record(champion)
    return States(found, champion)
