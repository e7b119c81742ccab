"""One polite visitor for all processes: turns, pauses, robots.txt, and hosts that say no."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from apps.matches.locks import LockClass
from apps.scraping import selectors, services
from apps.scraping.models import HostState
from apps.scraping.politeness import BreakerState, host_of
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from apps.scraping.services import hosts
from tests.database import locked_elsewhere
from tests.db.scraping.conftest import NOW

pytestmark = pytest.mark.django_db

SITE = "https://fake.example/page"
AGENT = "SPAI/1 (+https://owner.example)"


class Visitor:
    """Asks for pages of a site that answers as it should; its clock moves only when it sleeps or a page takes time."""

    def __init__(self, clock, *, delay: float = 7.0, draw: float = 0.0) -> None:
        self.clock = clock
        self.policy = hosts.FetchPolicy(
            agent=AGENT,
            delay=timedelta(seconds=delay),
            clock=clock,
            sleep=lambda seconds: self.clock.later(seconds=seconds),
            draw=lambda: draw,
        )
        self.answers: list[FetchResponse | FetchError] = []
        self.robots: FetchResponse | FetchError = FetchResponse("https://fake.example/robots.txt", 404, b"", clock())
        self.asked: list[tuple[str, object]] = []

    def go(self, url: str = SITE) -> FetchResponse:
        return hosts.fetch_politely(
            url, lambda: self._answer(url), policy=self.policy, fetch_robots=self._answer_robots
        )

    def _answer(self, url: str) -> FetchResponse:
        self.asked.append((url, self.clock()))
        self.clock.later(seconds=1)
        answer = (
            self.answers.pop(0) if self.answers else FetchResponse(url, 200, b"<html>football</html>", self.clock())
        )
        if isinstance(answer, FetchError):
            raise answer
        return answer

    def _answer_robots(self, url: str) -> FetchResponse:
        self.asked.append((url, self.clock()))
        if isinstance(self.robots, FetchError):
            raise self.robots
        return self.robots

    def gaps(self) -> list[float]:
        """Return the seconds from the end of each request to the next; each took one second, robots.txt none."""
        pages = [moment for url, moment in self.asked if not url.endswith("robots.txt")]
        return [(later - earlier).total_seconds() - 1 for earlier, later in pairwise(pages)]


@pytest.fixture
def visitor(clock) -> Visitor:
    return Visitor(clock)


def refused(status: int = 403, **headers: str) -> FetchResponse:
    return FetchResponse(SITE, status, b"no", NOW, headers)


def test_between_two_requests_lies_at_least_the_delay(visitor):
    for _ in range(3):
        visitor.go()
    assert visitor.gaps() == [7.0, 7.0]


def test_up_to_half_the_delay_is_added_by_chance(clock):
    visitor = Visitor(clock, draw=1.0)
    for _ in range(2):
        visitor.go()
    assert visitor.gaps() == [10.5]


def test_a_worker_that_died_in_its_request_has_used_its_turn(visitor):
    class Death(BaseException):
        pass

    def die() -> FetchResponse:
        raise Death

    visitor.go()
    with pytest.raises(Death):
        hosts.fetch_politely(SITE, die, policy=visitor.policy, fetch_robots=visitor._answer_robots)
    before = visitor.clock()
    visitor.go()
    assert (visitor.asked[-1][1] - before).total_seconds() == 7.0


def test_another_process_at_the_same_host_goes_first(visitor, monkeypatch):
    monkeypatch.setattr(hosts, "TIMEOUT", 0.1)
    with locked_elsewhere(int(LockClass.HOST), hosts._lock_number(host_of(SITE))):
        with pytest.raises(FetchError, match="another process has held fake"):
            visitor.go()
        assert visitor.go("https://other.example/").status == 200
    assert visitor.go().status == 200


def test_robots_txt_is_requested_once_a_day_and_obeyed(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nDisallow: /secret\nCrawl-delay: 20\n", visitor.clock())
    visitor.go()
    with pytest.raises(FetchError, match=r"robots\.txt of fake\.example does not permit") as error:
        visitor.go("https://fake.example/secret/page")
    assert error.value.outcome == FetchOutcome.BLOCKED
    visitor.go()
    assert visitor.gaps() == [20.0]
    visitor.clock.later(hours=25)
    visitor.go()
    assert sum(url.endswith("robots.txt") for url, _ in visitor.asked) == 2


def test_a_page_that_robots_txt_forbids_is_not_held_against_the_host(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nDisallow: /\n", visitor.clock())
    with pytest.raises(FetchError):
        visitor.go()
    assert selectors.host_state_of(SITE).state == BreakerState.CLOSED


def test_while_robots_txt_cannot_be_reached_nothing_is_requested(visitor):
    visitor.robots = FetchError(FetchOutcome.HTTP_ERROR, "500", FetchResponse("", 500, b"", visitor.clock()))
    with pytest.raises(FetchError, match="could not be read"):
        visitor.go()
    assert len(visitor.asked) == 1
    visitor.clock.later(minutes=2)
    visitor.robots = FetchResponse("", 404, b"", visitor.clock())
    assert visitor.go().status == 200


def test_rules_that_were_read_once_hold_while_they_cannot_be_read_again(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nDisallow: /secret\n", visitor.clock())
    visitor.go()
    visitor.clock.later(hours=25)
    visitor.robots = FetchError(FetchOutcome.HTTP_ERROR, "503", FetchResponse("", 503, b"", visitor.clock()))
    assert visitor.go().status == 200
    with pytest.raises(FetchError, match="does not permit"):
        visitor.go("https://fake.example/secret")


def test_a_redirect_to_what_robots_txt_forbids_is_not_followed(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nDisallow: /secret\n", visitor.clock())
    visitor.go()
    hosts.refuse_hop("https://fake.example/open")
    with pytest.raises(FetchError, match="does not permit"):
        hosts.refuse_hop("https://fake.example/secret/page")


@pytest.mark.parametrize("status", [403, 429])
def test_a_refusal_halts_the_host_at_once(visitor, status):
    visitor.answers = [refused(status)]
    with pytest.raises(FetchError, match=f"answered {status}") as error:
        visitor.go()
    assert error.value.outcome == FetchOutcome.BLOCKED
    asked = len(visitor.asked)
    with pytest.raises(FetchError, match=r"fake\.example is halted until"):
        visitor.go()
    assert len(visitor.asked) == asked


def test_a_challenge_page_with_status_200_halts_the_host(visitor):
    page = b"<html><title>Just a moment...</title><body>Ray ID: 8f3</body></html>"
    visitor.answers = [FetchResponse(SITE, 200, page, visitor.clock())]
    with pytest.raises(FetchError, match="challenge page") as error:
        visitor.go()
    assert error.value.response.body == page
    assert selectors.host_state_of(SITE).state == BreakerState.OPEN


def test_retry_after_is_the_least_pause(visitor):
    visitor.answers = [refused(429, **{"retry-after": "7200"})]
    with pytest.raises(FetchError):
        visitor.go()
    state = selectors.host_state_of(SITE)
    assert state.open_until - visitor.clock() >= timedelta(hours=2)


def test_after_the_pause_one_request_probes_and_a_good_answer_frees_the_host(visitor):
    visitor.answers = [refused(403)]
    with pytest.raises(FetchError):
        visitor.go()
    visitor.clock.now = selectors.host_state_of(SITE).open_until + timedelta(seconds=1)
    visitor.go()
    assert selectors.host_state_of(SITE).state == BreakerState.CLOSED


def test_a_second_refusal_doubles_the_pause(visitor):
    pauses = []
    for _ in range(2):
        visitor.answers = [refused(403)]
        with pytest.raises(FetchError):
            visitor.go()
        state = selectors.host_state_of(SITE)
        pauses.append(state.open_until - state.opened_at)
        visitor.clock.now = state.open_until + timedelta(seconds=1)
    assert pauses[1] == 2 * pauses[0]


def test_an_operator_resumes_a_host(visitor):
    visitor.answers = [refused(403)]
    with pytest.raises(FetchError):
        visitor.go()
    services.resume(state=selectors.host_state_of(SITE), by="ann", now=NOW)
    assert visitor.go().status == 200


def test_five_silences_in_a_row_halt_the_host(visitor):
    for _ in range(5):
        visitor.answers = [FetchError(FetchOutcome.TIMEOUT, "nothing came in 30 s")]
        with pytest.raises(FetchError, match="nothing came"):
            visitor.go()
    assert selectors.host_state_of(SITE).state == BreakerState.OPEN


def test_two_hosts_have_two_hosts(visitor):
    visitor.go()
    before = visitor.clock()
    visitor.go("https://other.example/")
    assert visitor.asked[-2] == ("https://other.example/robots.txt", before)
    assert {state.host for state in HostState.objects.all()} == {"fake.example", "other.example"}


def test_a_port_makes_another_host(visitor):
    assert host_of("http://127.0.0.1:8003/x") == "127.0.0.1:8003"
    assert host_of("HTTPS://Fake.Example:443/x") == "fake.example"


def test_manners_are_the_sources_own(visitor):
    slow = replace(visitor.policy, delay=timedelta(seconds=30))
    visitor.policy = slow
    visitor.go()
    visitor.go()
    assert visitor.gaps() == [30.0]


def test_a_pause_that_is_longer_than_spai_waits_is_not_cut_short(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nCrawl-delay: 61\n", visitor.clock())
    with pytest.raises(FetchError, match="demands 61 s between two requests, more than the 60 s") as error:
        visitor.go()
    assert error.value.outcome == FetchOutcome.BLOCKED
    assert [url for url, _ in visitor.asked] == ["https://fake.example/robots.txt"]
    assert selectors.host_state_of(SITE).state == BreakerState.CLOSED


def test_the_longest_pause_is_waited_out_chance_included(clock):
    visitor = Visitor(clock, draw=1.0)
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nCrawl-delay: 60\n", visitor.clock())
    for _ in range(2):
        visitor.go()
    assert visitor.gaps() == [90.0]


def test_the_pause_that_robots_txt_asks_for_begins_with_robots_txt(visitor):
    visitor.robots = FetchResponse("", 200, b"User-agent: *\nCrawl-delay: 20\n", visitor.clock())
    visitor.go()
    assert visitor.asked[1][1] - visitor.asked[0][1] == timedelta(seconds=20)


def test_a_robots_txt_that_leads_elsewhere_is_unread_and_forbids_nothing_by_itself(visitor):
    visitor.robots = FetchError(FetchOutcome.INVALID, "another host", FetchResponse("", 301, b"", visitor.clock()))
    with pytest.raises(FetchError, match=r"could not be read.*: it redirects to another host.*status 301") as error:
        visitor.go()
    assert error.value.outcome == FetchOutcome.HTTP_ERROR
    assert len(visitor.asked) == 1
    visitor.clock.later(seconds=61)
    visitor.robots = FetchResponse("", 200, b"", visitor.clock())
    assert visitor.go().status == 200


def test_a_challenge_in_place_of_robots_txt_halts_the_host_and_says_so(visitor):
    page = b"<html><title>Just a moment...</title><body>Ray ID: 8f3</body></html>"
    visitor.robots = FetchResponse("https://fake.example/robots.txt", 200, page, visitor.clock())
    with pytest.raises(FetchError, match="is halted until") as error:
        visitor.go()
    assert error.value.outcome == FetchOutcome.BLOCKED
