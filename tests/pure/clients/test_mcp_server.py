"""The MCP server: its tools through a session of the SDK, over recorded answers of the real views."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import mcp
import pytest

from spai_client import Client
from spai_client.mcp_server import Tools, make_server
from tests.pure.clients.replay import EXAMPLES, SITE, Replay, refusal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MATCH = EXAMPLES["matches_retrieve"]["answer"]
PAGE = EXAMPLES["matches_list"]["answer"]
TEAM = EXAMPLES["teams"]["answer"]["results"][0]
OTHER = TEAM | {"name": "Old Mill", "display_name": "Old Mill", "slug": "old-mill"}


def named(*teams: dict[str, Any]):
    """Answer a search with the teams that have the text as a part of their slug, as the view does with names."""

    def search(request: httpx.Request) -> dict[str, Any]:
        text = request.url.params["q"].lower().replace(" ", "-")
        return page_of(*[team for team in teams if text in team["slug"]])

    return search


def page_of(*matches: dict[str, Any]) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": list(matches)}


async def call(tool: str, replay: Replay | None = None, /, **arguments: Any) -> mcp.types.CallToolResult:
    tools = Tools(Client(SITE, retries=0, transport=replay or Replay()), now=lambda: NOON)
    async with mcp.Client(make_server(tools)) as session:
        return await session.call_tool(tool, arguments)


async def reason(tool: str, replay: Replay | None = None, /, **arguments: Any) -> str:
    """What the assistant is told when a tool refuses."""
    result = await call(tool, replay, **arguments)
    assert result.is_error
    return result.content[0].text


async def test_all_tools_only_read_and_explain_themselves():
    async with mcp.Client(make_server(Tools(Client(SITE, transport=Replay())))) as session:
        tools = (await session.list_tools()).tools
        assert "probabilities" in session.instructions
    assert {tool.name for tool in tools} == {"fixtures", "forecast", "what_if", "season", "track_record"}
    for tool in tools:
        assert tool.annotations.read_only_hint is True
        assert len(tool.description) > 40
        assert tool.output_schema["type"] == "object"
        assert all(parameter["description"] for parameter in tool.input_schema["properties"].values())


async def test_fixtures_are_those_of_today_unless_a_day_is_named():
    replay = Replay(matches_list=page_of(MATCH))
    found = (await call("fixtures", replay)).structured_content["matches"]
    assert [(each["match_id"], each["home"]["name"], each["status"]) for each in found] == [
        (1001, "Northgate", "scheduled")
    ]
    await call("fixtures", replay, day="2026-12-05", competition="aldermark-crown-league")
    asked = [dict(request.url.params) for request in replay.requests]
    assert (asked[0]["from"], asked[0]["to"]) == ("2026-11-23T00:00:00+00:00", "2026-11-24T00:00:00+00:00")
    assert (asked[1]["from"], asked[1]["competition"]) == ("2026-12-05T00:00:00+00:00", "aldermark-crown-league")


async def test_the_next_matches_of_a_team_are_found_by_a_name_that_people_use():
    team = TEAM | {"other_names": ["The Gate"]}
    replay = Replay(teams=page_of(team, OTHER), matches_list=page_of(MATCH))
    assert len((await call("fixtures", replay, team="the gate")).structured_content["matches"]) == 1
    asked = replay.requests[-1].url.params
    assert (asked["team"], asked["from"], asked.get("to")) == ("northgate", "2026-11-23T09:00:00+00:00", None)


async def test_a_long_list_says_that_it_was_cut():
    found = (await call("fixtures", Replay(matches_list=page_of(*[MATCH] * 61)))).structured_content
    assert (len(found["matches"]), found["has_more"]) == (60, True)


async def test_a_forecast_is_found_by_the_id_and_by_two_teams():
    replay = Replay(teams=named(TEAM, OTHER), matches_list=page_of(MATCH | {"id": 9, "status": "finished"}, MATCH))
    by_id = (await call("forecast", replay, match_id=1001)).structured_content
    by_names = (await call("forecast", replay, home="Old Mill", away="Northgate")).structured_content
    assert by_id == by_names
    assert by_id["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
    assert (by_id["home"]["name"], by_id["model"], by_id["degraded"]) == ("Northgate", "sandbox 1 (elo_logit)", None)


async def test_a_match_that_does_not_exist_can_be_forecast():
    replay = Replay(teams=named(TEAM, OTHER))
    found = (await call("what_if", replay, home="northgate", away="old mill", day="2026-12-05")).structured_content
    assert (found["match_id"], found["is_frozen"]) == (None, False)
    asked = replay.requests[-1].url.params
    assert (asked["home"], asked["away"], asked["date"]) == ("northgate", "old-mill", "2026-12-05")


async def test_a_season_is_its_table_with_how_it_is_expected_to_end():
    found = (await call("season", competition="aldermark-crown-league")).structured_content
    assert found["simulated_seasons"] == 10_000
    assert {row["team"]["slug"]: row["chances"]["title"] for row in found["places"]} == {
        "northgate": 0.5,
        "old-mill": 0.5,
    }


async def test_a_track_record_has_the_means_of_the_latest_scores():
    row = EXAMPLES["scores"]["answer"]["results"][0]
    rows = [row | {"log_loss": 0.71, "market_log_loss": None}, row]
    replay = Replay(scores=page_of(*rows), teams=page_of(TEAM))
    found = (await call("track_record", replay, team="northgate")).structured_content
    assert (found["matches"], found["mean_market_log_loss"]) == (2, 0.68)
    assert found["mean_log_loss"] == pytest.approx(0.7)
    assert [(each["home"], each["result"], each["market_log_loss"]) for each in found["latest"]] == [
        ("Northgate", "H", None),
        ("Northgate", "H", 0.68),
    ]
    asked = replay.requests[-1].url.params
    assert (asked["team"], asked["ordering"]) == ("northgate", "-kickoff_at")


async def test_a_track_record_of_nothing_has_no_means():
    found = (await call("track_record", Replay(scores=page_of()))).structured_content
    assert (found["matches"], found["mean_log_loss"], found["latest"]) == (0, None, [])


async def test_a_season_without_a_simulation_is_its_table():
    replay = Replay(season_forecast=refusal(404, "This season has no simulation.", "no-forecast"))
    found = (await call("season", replay, competition="aldermark-crown-league")).structured_content
    assert (found["simulated_seasons"], found["remaining_matches"]) == (0, None)
    assert [row["expected_points"] for row in found["places"]] == [None, None]


# ── What an assistant is told when it cannot be done ─────────────────────────────────────────────────────────────────
async def test_an_unknown_team_is_answered_with_those_that_are_like_it():
    replay = Replay(teams=page_of(TEAM, OTHER))
    told = await reason("forecast", replay, home="Nortgate", away="Old Mill")
    assert "No team is called “Nortgate”; did you mean one of these? Northgate of Aldermark (northgate)" in told


async def test_a_name_of_several_teams_is_asked_back():
    twin = TEAM | {"slug": "northgate-2", "region": "Elsewhere"}
    told = await reason("what_if", Replay(teams=page_of(TEAM, twin)), home="Northgate", away="Old Mill")
    assert "2 teams: Northgate of Aldermark (northgate), Northgate of Elsewhere (northgate-2)" in told


async def test_a_team_that_nobody_knows_says_where_to_look():
    assert "No team is called “Xyz”" in await reason("fixtures", Replay(teams=page_of()), team="Xyz")


async def test_two_teams_that_do_not_meet_are_referred_to_what_if():
    replay = Replay(teams=named(TEAM, OTHER), matches_list=page_of())
    assert "Use what_if" in await reason("forecast", replay, home="Northgate", away="Old Mill")


@pytest.mark.parametrize("tool", ["fixtures", "season"])
async def test_an_unknown_competition_is_answered_with_those_that_are_like_it(tool):
    def listed(request: httpx.Request) -> Any:
        wrong = "competition" in request.url.params
        return refusal(400, "There is no competition with this slug.", "bad-input") if wrong else page_of(MATCH)

    replay = Replay(matches_list=listed)
    replay.answers["/api/v1/competitions/crown-league/table/"] = refusal(404, "None.", "unknown-competition")
    assert "Did you mean one of these? aldermark-crown-league" in await reason(tool, replay, competition="crown-league")


async def test_the_words_of_the_server_reach_the_assistant():
    replay = Replay(teams=named(TEAM, OTHER), what_if=refusal(422, "A team cannot play against itself.", "same-team"))
    assert "cannot play against itself" in await reason("what_if", replay, home="Northgate", away="Northgate")
    assert "There is no such match" in await reason("forecast", match_id=5)
    assert "Name a match_id, or two teams" in await reason("forecast", home="Northgate")


async def test_a_site_that_is_down_is_reported_as_that():
    def down(request: httpx.Request) -> Any:
        raise httpx.ConnectError("Connection refused")

    told = await reason("fixtures", Replay(matches_list=down))
    assert "SPAI does not answer (Connection refused)" in told
    assert "SPAI_URL" in told


async def test_an_answer_is_given_as_text_too():
    result = await call("season", competition="aldermark-crown-league")
    assert json.loads(result.content[0].text) == result.structured_content
