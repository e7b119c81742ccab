"""What prediction jobs compute, with a real model on a small world."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from apps.api.services import job_kinds
from apps.api.services.batch import Pairing, forecast_batch
from apps.api.services.job_kinds import JobRefusedError
from apps.api.services.what_if import what_if_match
from apps.matches.models import Match, Season
from apps.ml import services
from apps.ml.forecasting import weaknesses
from apps.ml.models import Score
from apps.ml.services.seasons import simulate_season


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


def lines_of(kind: str, parameters: dict, now) -> list[dict]:
    """Return the lines of a result; of a kind with one JSON object, that."""
    work = job_kinds.KINDS[kind](parameters, now)
    pieces = list(work.chunks)
    assert pieces[-1][0] == work.total if pieces else work.total == 0
    return [json.loads(line) for line in b"".join(piece for _, piece in pieces).splitlines()]


def coming(now):
    rows = Match.objects.filter(status="scheduled", kickoff_at__gt=now + timedelta(hours=1))
    return rows.select_related("home_team", "away_team", "season__competition").order_by("kickoff_at", "id")


def test_a_set_has_the_forecasts_that_single_requests_would_get(champion, now):
    fixture = coming(now)[0]
    home, away = fixture.home_team, coming(now)[5].home_team
    day = (now + timedelta(days=3)).date()
    items = [
        {"home": home.slug, "away": away.slug, "date": day.isoformat()},
        {"match": fixture.pk},
        {"home": away.slug, "away": home.slug, "neutral": True},
    ]
    first, second, third = lines_of("what_if_set", {"world": "sandbox", "items": items}, now)
    single = services.what_if(what_if_match(home_team=home, away_team=away, day=day, now=now).match, now=now)
    assert list(first["probabilities"].values()) == pytest.approx(
        [single.p_home, single.p_draw, single.p_away], abs=1e-6
    )
    live = services.forecast(fixture.pk, now=now)
    assert list(second["probabilities"].values()) == pytest.approx([live.p_home, live.p_draw, live.p_away], abs=1e-6)
    assert (second["match"], second["home"], second["model_version"]) == (fixture.pk, home.slug, 1)
    assert second["kickoff_at"] == fixture.kickoff_at.isoformat().replace("+00:00", "Z")
    assert [line["item"] for line in (first, second, third)] == [0, 1, 2]
    assert first["probabilities"] != third["probabilities"]


def test_sets_and_batches_say_how_sure_a_forecast_is_as_single_requests_do(champion, give_intervals, now, monkeypatch):
    give_intervals()
    monkeypatch.setattr(weaknesses, "FEW_MATCHES", 10_000)
    fixture = coming(now).last()
    home, away = fixture.home_team, fixture.away_team
    parameters = {"world": "sandbox", "items": [{"match": fixture.pk}, {"home": away.slug, "away": home.slug}]}
    lines = lines_of("what_if_set", parameters, now)
    (rows,) = forecast_batch([fixture.pk, Pairing(away.slug, home.slug)], now=now)
    turned = what_if_match(home_team=away, away_team=home, day=services.next_saturday(now), now=now).match
    singles = [services.forecast(fixture.pk, now=now), services.what_if(turned, now=now)]
    for line, row, single, sides in zip(lines, rows, singles, ((home, away), (away, home)), strict=True):
        assert [each["code"] for each in single.weaknesses][:2] == ["new_club", "new_club"]
        numbers = [each["number"] for each in single.weaknesses]
        assert [each["text"] for each in line["weaknesses"]][:2] == [
            f"{team.display_name} has played {count} matches that we know of"
            for team, count in zip(sides, numbers, strict=False)
        ]
        assert row["weaknesses"].split()[:2] == ["new_club:home", "new_club:away"]
        assert len(row["weaknesses"].split()) == len(line["weaknesses"]) == len(single.weaknesses)
        assert line["intervals"] == single.intervals
        assert row["interval_level"] == single.intervals["level"]
        for outcome in ("home", "draw", "away"):
            assert [row[f"p_{outcome}_{end}"] for end in ("low", "high")] == list(single.intervals[outcome].values())


def test_a_fallback_is_the_first_weakness_of_a_set_and_of_a_batch(make_version, now):
    good, bad = make_version(1), make_version(2, broken=True)
    for version in (good, bad):
        services.promote(version=version, user=None, reason="test", now=now)
    fixture = coming(now).last()
    (line,) = lines_of("what_if_set", {"world": "sandbox", "items": [{"match": fixture.pk}]}, now)
    ((row,),) = forecast_batch([fixture.pk], now=now)
    assert line["degraded"] == row["degraded"] == "latest good version"
    assert line["weaknesses"][0] == {
        "code": "fallback",
        "side": None,
        "text": "the current model cannot be loaded, and a fallback made the forecast",
    }
    assert row["weaknesses"].split()[0] == "fallback"


def test_where_no_model_loads_the_base_rates_of_a_batch_are_a_fallback(make_version, now):
    services.promote(version=make_version(1, broken=True), user=None, reason="first", now=now)
    ((row,),) = forecast_batch([coming(now).last().pk], now=now)
    assert (row["weaknesses"], row["degraded"], row["interval_level"]) == ("fallback", "base rates", None)


def test_an_item_that_cannot_be_forecast_has_its_reason_and_the_others_their_forecast(champion, now, monkeypatch):
    monkeypatch.setattr(job_kinds, "CHUNK", 2)
    fixture = coming(now)[0]
    played = Match.objects.filter(status="finished").first()
    slug = fixture.home_team.slug
    items = [
        {"match": 2**62},
        {"match": played.pk},
        {"home": slug, "away": slug},
        {"home": slug, "away": "nobody"},
        {"home": slug, "away": fixture.away_team.slug, "date": "2001-01-01"},
        {"home": slug, "away": fixture.away_team.slug, "competition": "elsewhere"},
        {"match": fixture.pk},
    ]
    found = lines_of("what_if_set", {"world": "sandbox", "items": items}, now)
    kinds = [line.get("error", {}).get("kind") for line in found]
    assert kinds == ["unknown-match", "not-a-fixture", "same-team", "unknown-team", "past", "other-competition", None]
    assert [line["item"] for line in found] == list(range(7))


def test_a_set_of_a_world_without_a_champion_is_refused(champion, now):
    with pytest.raises(JobRefusedError, match="No model is champion of the real world"):
        lines_of("what_if_set", {"world": "real", "items": [{"match": 1}]}, now)


def test_a_season_is_simulated_with_the_results_that_the_client_gives(champion, now):
    season = Season.objects.filter(pk=coming(now)[0].season_id).select_related("competition").get()
    team = coming(now).filter(season=season)[0].home_team
    left = [match for match in coming(now).filter(season=season) if team in (match.home_team, match.away_team)]
    locked = [
        {"match": match.pk, "home_goals": 9 * (match.home_team == team), "away_goals": 9 * (match.away_team == team)}
        for match in left[:1]
    ] + [
        {
            "home": match.home_team.slug,
            "away": match.away_team.slug,
            "home_goals": 9 * (match.home_team == team),
            "away_goals": 9 * (match.away_team == team),
        }
        for match in left[1:]
    ]
    (plain,) = lines_of("season_simulation", {"competition": season.competition.slug, "season": season.label}, now)
    (given,) = lines_of("season_simulation", {"competition": season.competition.slug, "locked": locked}, now)
    before, after = (
        next(club for club in found["clubs"] if club["team"]["slug"] == team.slug) for found in (plain, given)
    )
    assert after["expected"] > before["expected"]
    assert (plain["remaining"] - given["remaining"], given["simulations"]) == (len(left), 10_000)
    assert given["locked"] == locked


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"competition": "nowhere"}, "unknown-season"),
        ({"season": "1900-01"}, "unknown-season"),
        ({"locked": [{"match": 2**62, "home_goals": 0, "away_goals": 0}]}, "unknown-match"),
        ({"locked": [{"home": "nobody", "away": "no-one", "home_goals": 0, "away_goals": 0}]}, "unknown-match"),
        ({"locked": "played"}, "season-refused"),
        ({"locked": "twice"}, "locked-twice"),
    ],
)
def test_a_season_that_cannot_be_simulated_as_asked_is_refused(champion, now, parameters, kind):
    fixture = coming(now)[0]
    goals = {"home_goals": 1, "away_goals": 0}
    played = Match.objects.filter(season=fixture.season, status="finished").first()
    given = {"played": [{"match": played.pk} | goals], "twice": [{"match": fixture.pk} | goals] * 2}
    if parameters.get("locked") in list(given):
        parameters = {"locked": given[parameters["locked"]]}
    with pytest.raises(JobRefusedError) as refused:
        lines_of("season_simulation", {"competition": fixture.season.competition.slug} | parameters, now)
    assert refused.value.kind == kind


def test_a_season_without_any_match_is_refused(champion, now):
    competition = coming(now)[0].season.competition
    season = Season.objects.create(competition=competition, label="2099-00")
    with pytest.raises(JobRefusedError, match="No match of this season is left") as refused:
        lines_of("season_simulation", {"competition": competition.slug, "season": season.label}, now)
    assert refused.value.kind == "season-refused"


def test_a_season_whose_results_are_all_given_has_one_table(champion, now):
    season = Season.objects.get(pk=coming(now)[0].season_id)
    left = Match.objects.filter(season=season, home_goals=None)
    locked = {(match.home_team_id, match.away_team_id): (1, 0) for match in left}
    forecast = simulate_season(season, locked=locked, now=now, simulations=100)
    assert forecast.remaining == 0
    assert all(set(club["places"]) <= {0.0, 1.0} for club in forecast.table["clubs"])


def test_the_graded_forecasts_of_a_period_are_those_that_were_published_and_scored(champion, now, world):
    from apps.matches.ingest import ingest

    services.predict_due(now=now)
    later = now + timedelta(minutes=20)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    period = {"world": "sandbox", "since": now.isoformat(), "until": later.isoformat()}
    found = lines_of("graded_forecasts", period, later)
    assert len(found) == Score.objects.count() > 0
    line = found[0]
    score = Score.objects.select_related("prediction").get(match=line["match"])
    assert line["scores"]["log_loss"] == pytest.approx(score.log_loss)
    assert list(line["probabilities"].values()) == list(score.prediction.probabilities)
    assert line["published_at"] < line["kickoff_at"]
    assert lines_of("graded_forecasts", period | {"until": now.isoformat()}, later) == []
    with pytest.raises(JobRefusedError):
        lines_of("graded_forecasts", period | {"competition": "nowhere"}, later)
