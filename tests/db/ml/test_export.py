"""The bridge from the database to frames: what an instant knew, and nothing later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.matches.models import (
    Absence,
    AwardedResult,
    Lineup,
    Match,
    MatchChange,
    MatchStats,
    Player,
    PointsAdjustment,
    World,
)
from apps.matches.selectors import data_snapshot
from apps.ml import dataset
from apps.ml.forecasting.features.schema import ADJUSTMENTS, LINEUPS, MATCHES, ODDS
from apps.ml.pipeline import files
from tests.factories import (
    CompetitionFactory,
    FinishedMatchFactory,
    IngestFactory,
    MatchFactory,
    MatchStatsFactory,
    OddsFactory,
    SeasonFactory,
)

pytestmark = pytest.mark.django_db

AS_OF = datetime(2024, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def season():
    competition = CompetitionFactory(name='The "Great", League', slug="england-great", level=3)
    return SeasonFactory(competition=competition)


@pytest.fixture
def world(season):
    """Matches around AS_OF by what became of them."""
    made = {
        "known": FinishedMatchFactory(season=season, kickoff_at=AS_OF - 8 * DAY),
        "just known": FinishedMatchFactory(season=season, kickoff_at=AS_OF - 3 * HOUR - timedelta(seconds=1)),
        "known at that instant": FinishedMatchFactory(season=season, kickoff_at=AS_OF - 3 * HOUR),
        "finished later": FinishedMatchFactory(season=season, kickoff_at=AS_OF + DAY),
        "to come": MatchFactory(season=season, kickoff_at=AS_OF + 2 * DAY),
        "at that instant": MatchFactory(season=season, kickoff_at=AS_OF),
        "postponed": MatchFactory(season=season, kickoff_at=AS_OF - 2 * DAY, status=Match.Status.POSTPONED),
        "cancelled": MatchFactory(season=season, kickoff_at=AS_OF + 3 * DAY, status=Match.Status.CANCELLED),
        "under way now": MatchFactory(season=season, kickoff_at=AS_OF + 4 * DAY, status=Match.Status.LIVE),
        "of another world": FinishedMatchFactory(
            season=SeasonFactory(competition=CompetitionFactory(is_simulated=True)), kickoff_at=AS_OF - 8 * DAY
        ),
    }
    for name in ("known", "finished later"):
        MatchStatsFactory(match=made[name])
        OddsFactory(match=made[name])
    return made


def rows_of(frame: pd.DataFrame, world: dict[str, Match]) -> dict[str, pd.Series]:
    names = {match.pk: name for name, match in world.items()}
    return {names[row["match_id"]]: row for _, row in frame.iterrows()}


def test_facts_known_before_an_instant_are_shown_and_later_ones_are_hidden(world):
    rows = rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), world)
    assert {name: row["status"] for name, row in rows.items()} == {
        "known": "finished",
        "just known": "finished",
        "known at that instant": "unknown",
        "finished later": "scheduled",
        "to come": "scheduled",
        "at that instant": "scheduled",
        "postponed": "postponed",
        "cancelled": "cancelled",
        "under way now": "scheduled",
    }
    with_goals = {name for name, row in rows.items() if pd.notna(row["home_goals"])}
    assert with_goals == {"known", "just known"}
    assert {name for name, row in rows.items() if pd.notna(row["known_at"])} == with_goals
    assert {name for name, row in rows.items() if pd.notna(row["home_shots"])} == {"known"}


def test_prices_of_a_match_whose_result_was_not_known_are_hidden(world):
    odds = dataset.export(World.REAL, as_of=AS_OF).odds.to_pandas()
    assert odds["match_id"].tolist() == [world["known"].pk]
    assert odds[["bookmaker", "moment"]].iloc[0].tolist() == ["PS", "closing"]


def test_prices_that_are_not_complete_are_left_out(world):
    OddsFactory(match=world["known"], bookmaker="B365", draw=None)
    assert dataset.export(World.REAL, as_of=AS_OF).odds.num_rows == 1


def test_an_export_has_the_fixed_columns_in_the_order_of_kickoff(world):
    exported = dataset.export(World.REAL, as_of=AS_OF)
    assert exported.matches.schema == MATCHES
    assert exported.odds.schema == ODDS
    frame = exported.matches.to_pandas()
    assert frame["kickoff_at"].is_monotonic_increasing
    first = frame.iloc[0]
    match = world["known"]
    assert (first["match_id"], first["home_team"], first["stage"]) == (match.pk, match.home_team.name, "")
    assert (first["competition"], first["region"], first["level"]) == ("england-great", "England", 3)
    assert first["kickoff_at"] == pd.Timestamp(match.kickoff_at)
    assert first["known_at"] == pd.Timestamp(match.known_at)
    assert (first["home_goals"], first["home_shots"], first["is_neutral"]) == (2.0, 12.0, False)


def test_names_with_quotes_commas_and_line_ends_arrive_whole(world):
    team = world["known"].home_team
    team.name = 'The "A", B\nC'
    team.save()
    assert team.name in dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas()["home_team"].tolist()


def test_a_world_without_matches_exports_empty_tables(db):
    exported = dataset.export(World.SANDBOX, as_of=AS_OF)
    assert (exported.matches.num_rows, exported.odds.num_rows, exported.data_snapshot) == (0, 0, 0)
    assert exported.matches.schema == MATCHES


def changed(match: Match, at: datetime, before: dict, after: dict) -> None:
    MatchChange.objects.create(match=match, ingest=IngestFactory(), changed_at=at, before=before, after=after)


@pytest.mark.parametrize(("later", "status"), [(True, "scheduled"), (False, "cancelled")])
def test_a_match_that_was_called_off_later_was_still_a_fixture(world, later, status):
    off = world["cancelled"]
    moment = AS_OF if later else AS_OF - timedelta(microseconds=1)
    changed(off, moment, {"status": "scheduled"}, {"status": "cancelled"})
    assert rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), world)["cancelled"]["status"] == status


def test_of_several_changes_since_an_instant_the_first_says_what_stood(world):
    match = world["to come"]
    changed(match, AS_OF - DAY, {"status": "scheduled"}, {"status": "postponed"})
    changed(match, AS_OF + DAY, {"status": "postponed"}, {"status": "scheduled"})
    changed(match, AS_OF + 2 * DAY, {"status": "scheduled"}, {"status": "cancelled"})
    assert (
        rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), world)["to come"]["status"] == "postponed"
    )


def test_a_match_that_was_moved_later_shows_the_kickoff_that_was_planned(world):
    match = world["finished later"]
    planned = AS_OF + 6 * HOUR
    changed(
        match,
        AS_OF + HOUR,
        {"kickoff_at": planned.isoformat(), "kickoff_precision": "date"},
        {"kickoff_at": match.kickoff_at.isoformat(), "kickoff_precision": "minute"},
    )
    changed(match, AS_OF + DAY, {"status": "scheduled"}, {"status": "finished"})
    row = rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), world)["finished later"]
    assert (row["kickoff_at"], row["kickoff_precision"], row["status"]) == (pd.Timestamp(planned), "date", "scheduled")
    row = rows_of(dataset.export(World.REAL, as_of=AS_OF + 3 * DAY).matches.to_pandas(), world)["finished later"]
    assert (row["kickoff_at"], row["kickoff_precision"]) == (pd.Timestamp(match.kickoff_at), "minute")


def test_a_result_that_was_known_keeps_the_kickoff_that_it_has(world):
    match = world["known"]
    changed(match, AS_OF + HOUR, {"kickoff_at": (AS_OF + DAY).isoformat(), "status": "postponed"}, {})
    row = rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), world)["known"]
    assert (row["kickoff_at"], row["status"]) == (pd.Timestamp(match.kickoff_at), "finished")


@pytest.fixture
def people(world):
    """Of the known match an eleven and a bench, of the one to come reports, of two more what came too late."""
    players = [Player.objects.create(source="paper", source_player_id=str(n), name=f"Player {n}") for n in range(14)]
    rows = [Lineup(match=world["known"], player=each, side="home", is_starter=n < 11) for n, each in enumerate(players)]
    rows.append(Lineup(match=world["finished later"], player=players[0], side="away", is_starter=True))
    rows.append(Lineup(match=world["of another world"], player=players[0], side="home", is_starter=True))
    for row in rows:
        row.known_at = row.match.kickoff_at - HOUR
    Lineup.objects.bulk_create(rows)
    statuses = [("Out", AS_OF - HOUR), ("Doubtful", AS_OF - HOUR), ("", AS_OF - HOUR), ("Out", AS_OF)]
    Absence.objects.bulk_create(
        Absence(match=world["to come"], player=players[n], side="away", status=status, known_at=known_at)
        for n, (status, known_at) in enumerate(statuses)
    )
    return players


def test_line_ups_and_absences_are_exported_as_far_as_they_were_known(world, people):
    table = dataset.export(World.REAL, as_of=AS_OF).lineups
    assert table.schema == LINEUPS
    frame = table.to_pandas()
    assert frame.equals(frame.sort_values(LINEUPS.names, ignore_index=True))
    squad = frame[frame["match_id"] == world["known"].pk]
    assert squad["role"].value_counts().to_dict() == {"starter": 11, "substitute": 3}
    assert set(squad["side"]) == {"home"}
    assert (squad["known_at"] == pd.Timestamp(world["known"].kickoff_at - HOUR)).all()
    missing = frame[frame["match_id"] == world["to come"].pk]
    assert missing["role"].tolist() == ["absent", "doubtful", "absent"]
    assert missing["player_id"].tolist() == [player.pk for player in people[:3]]
    assert len(frame) == 17


def test_line_ups_of_fixtures_and_of_results_are_those_that_serving_asks_for(world, people):
    asked = dataset.lineups_of([world["to come"].pk], before=AS_OF)
    assert asked["role"].tolist() == ["absent", "doubtful", "absent"]
    assert len(dataset.lineups_of([world["to come"].pk], before=AS_OF + HOUR)) == 4
    assert dataset.lineups_of([], before=AS_OF).empty
    between = dataset.lineups_between(World.REAL, after=None, before=AS_OF)
    assert set(between["match_id"]) == {world["known"].pk}
    assert dataset.lineups_between(World.REAL, after=world["known"].known_at, before=AS_OF).empty


def test_decisions_and_verdicts_are_exported_from_the_day_they_were_known(world, season):
    match = world["known"]
    for days, points in ((-9, -10), (-2, 4), (-1, -2)):
        decision = {"points": points, "decided_on": (AS_OF + days * DAY).date(), "reason": "r", "source": "s"}
        PointsAdjustment.objects.create(season=season, team=match.home_team, recorded_at=AS_OF, **decision)
    PointsAdjustment.objects.filter(points=-10).update(undone_at=AS_OF, undone_by="ann", undo_reason="r")
    Match.objects.filter(pk=match.pk).update(status="awarded", home_goals=0, away_goals=3)
    # This one was stored as a verdict later than the export looks.
    late = world["just known"]
    Match.objects.filter(pk=late.pk).update(status="awarded")
    changed(late, AS_OF + HOUR, {"status": "finished"}, {"status": "awarded"})
    table = dataset.export(World.REAL, as_of=AS_OF).adjustments
    assert table.schema == ADJUSTMENTS
    rows = table.to_pandas().drop(columns="season_id").to_dict("list")
    assert rows == {
        "team_id": [match.home_team_id, match.home_team_id, match.away_team_id],
        "known_at": [pd.Timestamp(moment) for moment in (match.known_at, AS_OF - DAY, match.known_at)],
        "points": [0, 4, 3],
        "played": [1, 0, 1],
        "difference": [-3, 0, 3],
        "scored": [0, 0, 3],
    }


def test_a_verdict_is_exported_as_what_it_adds_to_what_was_played(world, season):
    match = world["known"]
    Match.objects.filter(pk=match.pk).update(home_goals=1, away_goals=1)
    verdict = AwardedResult.objects.create(
        season=season, home_team=match.home_team, away_team=match.away_team, played_on=match.kickoff_at.date(),
        home_goals=3, away_goals=0, decided_on=(AS_OF - 5 * DAY).date(), reason="r", source="s", recorded_at=AS_OF,
    )  # fmt: skip
    rows = dataset.export(World.REAL, as_of=AS_OF).adjustments.to_pandas()
    by_team = {row["team_id"]: row for row in rows.to_dict("records")}
    home, away = by_team[match.home_team_id], by_team[match.away_team_id]
    assert [home[name] for name in ("points", "played", "difference", "scored")] == [2, 0, 3, 2]
    assert [away[name] for name in ("points", "played", "difference", "scored")] == [-1, 0, -3, -1]
    assert home["known_at"] == pd.Timestamp(verdict.known_at)
    # Of an abandoned match a state observes nothing.
    Match.objects.filter(pk=match.pk).update(status="abandoned")
    rows = dataset.export(World.REAL, as_of=AS_OF).adjustments.to_pandas()
    added = rows[["points", "played", "difference", "scored"]].to_numpy().tolist()
    assert sorted(added) == [[0, 1, -3, 0], [3, 1, 3, 3]]
    assert dataset.export(World.REAL, as_of=AS_OF - 4 * DAY).adjustments.num_rows == 0


def test_an_export_that_met_an_ingest_begins_anew(world, monkeypatch):
    numbers = iter([1, 2, 2, 2])
    monkeypatch.setattr(dataset, "data_snapshot", lambda world: next(numbers))
    assert dataset.export(World.REAL, as_of=AS_OF).data_snapshot == 2


def test_an_export_among_endless_ingests_gives_up_and_says_so(world, monkeypatch):
    numbers = iter(range(100))
    monkeypatch.setattr(dataset, "data_snapshot", lambda world: next(numbers))
    with pytest.raises(dataset.UnsettledFactsError, match="try again later"):
        dataset.export(World.REAL, as_of=AS_OF)


def test_the_data_snapshot_is_the_latest_ingest_that_changed_a_fact_of_the_world(db):
    assert data_snapshot(World.REAL) == 0
    changed = IngestFactory()
    IngestFactory(changed_facts=False)
    IngestFactory(finished_at=None)
    IngestFactory(world=World.SANDBOX)
    assert data_snapshot(World.REAL) == changed.pk


def test_fixtures_come_in_the_order_asked_and_without_what_they_brought(world):
    ids = [world["to come"].pk, world["known"].pk]
    frame = dataset.fixtures(ids)
    assert frame["match_id"].tolist() == ids
    assert frame[["home_goals", "known_at", "home_shots"]].isna().all().all()
    assert dataset.fixtures([]).empty


def test_upcoming_are_the_scheduled_matches_of_a_span(world):
    frame = dataset.upcoming(World.REAL, now=AS_OF, until=AS_OF + 2 * DAY)
    assert frame["match_id"].tolist() == [world["to come"].pk]


def test_results_between_two_instants_come_in_the_order_in_which_they_are_observed(world):
    everything = dataset.results_between(World.REAL, after=None, before=AS_OF + 9 * DAY)
    assert everything["match_id"].tolist() == [
        world[name].pk for name in ("known", "just known", "known at that instant", "finished later")
    ]
    after = dataset.results_between(
        World.REAL, after=world["just known"].known_at, before=world["finished later"].known_at
    )
    assert after["match_id"].tolist() == [world["known at that instant"].pk]
    assert everything["home_goals"].tolist() == [2.0] * 4


def test_the_schedule_leaves_out_what_was_called_off(world):
    frame = dataset.schedule(World.REAL, start=AS_OF - DAY, until=AS_OF + 4 * DAY)
    assert world["postponed"].pk not in frame["match_id"].tolist()
    assert world["cancelled"].pk not in frame["match_id"].tolist()
    assert world["to come"].pk in frame["match_id"].tolist()


@pytest.mark.parametrize(
    ("name", "later", "behind"), [("known", True, True), ("known", False, False), ("finished later", True, False)]
)
def test_a_correction_of_an_observed_result_is_behind_and_a_newer_result_is_not(world, name, later, behind):
    snapshot = world["known"].ingest_id + 1000
    Match.objects.filter(pk=world[name].pk).update(ingest=IngestFactory(id=snapshot + (1 if later else -1)))
    assert dataset.changed_behind(World.REAL, snapshot=snapshot, observed_until=AS_OF) is behind


def export(root: Path, **options) -> dict[str, bytes]:
    (root / files.PARAMS).parent.mkdir(parents=True, exist_ok=True)
    if not (root / files.PARAMS).exists():
        (root / files.PARAMS).write_text("horizon: {hours: 1}\n")
    said = StringIO()
    call_command("export_matches", root=root, stdout=said, **options)
    (root / "said.txt").write_text(said.getvalue())
    return {path.name: path.read_bytes() for path in sorted((root / "data" / "raw").iterdir())}


@pytest.fixture
def with_xg(world):
    """The world with xG of all but one match; on the night of `AS_OF` that of a finished match is not known yet."""
    for name in ("just known", "known at that instant"):
        MatchStatsFactory(match=world[name])
    MatchStats.objects.exclude(match=world["known at that instant"]).update(home_xg=1.5, away_xg=0.25)
    return world


def xg_known_at(world: dict[str, Match], name: str) -> datetime:
    return MatchStats.objects.get(match=world[name]).xg_known_at


def test_xg_is_exported_from_the_moment_at_which_it_may_be_used(with_xg):
    rows = rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), with_xg)
    known = xg_known_at(with_xg, "known")
    assert {name for name, row in rows.items() if pd.notna(row["home_xg"])} == {"known"}
    assert rows["known"][["home_xg", "away_xg", "xg_known_at"]].tolist() == [1.5, 0.25, pd.Timestamp(known)]
    assert pd.notna(rows["just known"]["home_goals"])
    morning = xg_known_at(with_xg, "just known")
    for moment, names in ((morning, {"known"}), (morning + timedelta(microseconds=1), {"known", "just known"})):
        rows = rows_of(dataset.export(World.REAL, as_of=moment).matches.to_pandas(), with_xg)
        assert {name for name, row in rows.items() if pd.notna(row["xg_known_at"])} == names


def test_a_match_without_the_xg_of_both_sides_has_none(with_xg):
    MatchStats.objects.filter(match=with_xg["known"]).update(away_xg=None)
    rows = rows_of(dataset.export(World.REAL, as_of=AS_OF).matches.to_pandas(), with_xg)
    assert pd.isna(rows["known"]["xg_known_at"])
    assert pd.isna(rows["known"]["home_xg"])


def observed(frame: pd.DataFrame, world: dict[str, Match]) -> dict[str, tuple[bool, bool]]:
    """Match → whether its result, and whether its xG, are observed."""
    return {
        name: (pd.notna(row["known_at"]), pd.notna(row["xg_known_at"])) for name, row in rows_of(frame, world).items()
    }


def test_a_state_observes_a_result_in_one_period_and_its_xg_in_the_next(with_xg):
    night, noon = AS_OF, AS_OF + 12 * HOUR
    first = dataset.results_between(World.REAL, after=None, before=night)
    assert observed(first, with_xg) == {"known": (True, True), "just known": (True, False)}
    second = dataset.results_between(World.REAL, after=with_xg["just known"].known_at, before=noon)
    assert observed(second, with_xg) == {"just known": (False, True), "known at that instant": (True, False)}
    third = dataset.results_between(World.REAL, after=xg_known_at(with_xg, "just known"), before=noon)
    assert third.empty


def test_what_a_state_has_not_observed_is_a_result_or_xg(with_xg):
    until = with_xg["known at that instant"].known_at
    morning = xg_known_at(with_xg, "just known")
    assert dataset.unobserved(World.REAL, None, AS_OF)
    assert not dataset.unobserved(World.REAL, until, AS_OF + HOUR)
    assert not dataset.unobserved(World.REAL, until, morning)
    assert dataset.unobserved(World.REAL, until, morning + HOUR)
    assert not dataset.unobserved(World.REAL, morning, morning + HOUR)
    assert dataset.unobserved(World.REAL, morning, AS_OF + 3 * DAY)


def test_two_exports_of_the_same_facts_are_equal_bytes(world, tmp_path):
    asked = {"world": "real", "as_of": AS_OF.isoformat(), "profile": "smoke"}
    assert export(tmp_path / "a", **asked) == export(tmp_path / "b", **asked)


def test_a_file_carries_no_clock_and_no_frame_of_its_writer(world, tmp_path):
    export(tmp_path, world="real", as_of=AS_OF.isoformat())
    assert pq.read_metadata(tmp_path / files.MATCHES).metadata is None


def test_the_section_run_of_the_parameters_pins_what_is_exported(world, tmp_path):
    files.write_text(tmp_path / files.PARAMS, f"run: {{world: real, as_of: '{AS_OF.isoformat()}', profile: smoke}}\n")
    export(tmp_path)
    manifest = files.RawManifest.read(tmp_path)
    assert (manifest.world, manifest.as_of, manifest.profile, manifest.rows) == ("real", AS_OF, "smoke", 9)


def test_an_export_that_is_there_already_is_left_alone(world, tmp_path):
    asked = {"world": "real", "as_of": AS_OF.isoformat()}
    export(tmp_path, **asked)
    before = (tmp_path / files.MATCHES).stat().st_mtime_ns
    export(tmp_path, **asked)
    assert "exported already" in (tmp_path / "said.txt").read_text()
    assert (tmp_path / files.MATCHES).stat().st_mtime_ns == before
    IngestFactory()
    export(tmp_path, **asked)
    assert (tmp_path / files.MATCHES).stat().st_mtime_ns > before


def test_an_instant_before_every_result_is_refused_by_its_name_and_no_row_is_blamed(world, tmp_path):
    with pytest.raises(CommandError, match="no match of the real world known before 2010-01-01 00:00 UTC"):
        export(tmp_path, world="real", as_of="2010-01-01T00:00:00Z")


def test_an_export_whose_connection_was_lost_is_repeated_and_says_why(transactional_db, world, tmp_path, monkeypatch):
    plain, calls = dataset.export, []

    def lost_once(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            connection.close()
            raise psycopg.OperationalError("terminating connection due to administrator command")
        return plain(*arguments, **options)

    monkeypatch.setattr(dataset, "export", lost_once)
    assert export(tmp_path, world="real", as_of=AS_OF.isoformat())
    assert len(calls) == 2
    assert "was lost (terminating connection due to administrator command)" in (tmp_path / "said.txt").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"world": "sandbox"}, "has no matches yet"),
        ({"world": "real", "as_of": "yesterday"}, "is not an instant"),
        ({"world": "real", "as_of": "2024-03-10T00:00:00"}, "has no time zone"),
    ],
)
def test_a_wrong_question_is_answered_with_what_to_do(tmp_path, options, says):
    IngestFactory()
    with pytest.raises(CommandError, match=says):
        export(tmp_path, **options)
