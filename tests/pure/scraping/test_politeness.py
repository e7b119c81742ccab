"""How SPAI behaves as a guest, one rule at a time."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.scraping.politeness import (
    AGENT,
    ALLOW_ALL,
    DISALLOW_ALL,
    FAILURE_LIMIT,
    FIRST_PAUSE,
    LONGEST_GAP,
    LONGEST_PAUSE,
    LONGEST_RETRY_AFTER,
    PROBE_LIMIT,
    ROBOTS_KEEP,
    ROBOTS_KEEP_UNREACHABLE,
    ROBOTS_LIMIT,
    SMALL_PAGE,
    VERSION,
    Breaker,
    BreakerState,
    Robots,
    challenge,
    conditional_headers,
    gap,
    host_of,
    is_stand_in,
    judge,
    retry_after,
    user_agent,
)
from apps.scraping.responses import FetchOutcome, FetchResponse

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "https://example.org"
MINUTE = timedelta(minutes=1)
REFUSALS = (FetchOutcome.BLOCKED, FetchOutcome.TIMEOUT, FetchOutcome.HTTP_ERROR)
ANSWERS = tuple(outcome for outcome in FetchOutcome if outcome not in (*REFUSALS, FetchOutcome.FAILED))


def answer(body: str | bytes = b"", status: int = 200, **headers: str) -> FetchResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body.encode() if isinstance(body, str) else body
    return FetchResponse(url=f"{SITE}/", status=status, body=content, fetched_at=NOW, headers=named)


# who we are


def test_the_version_in_the_user_agent_is_the_one_of_the_project():
    text = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["version"] == VERSION


@pytest.mark.parametrize("contact", ["https://example.org/spai", "mailto:owner@example.org", " owner@example.org "])
def test_the_user_agent_says_what_asks_and_whom_to_write_to(contact):
    assert user_agent(contact) == f"SPAI/{VERSION} (+{contact.strip()})"


@pytest.mark.parametrize(
    "contact", ["", "  ", "a b", "x\r\nCookie: y", "https://e.org/)", "ü@example.org", "y" * 201, "back\\slash"]
)
def test_a_contact_that_is_empty_or_breaks_the_header_is_refused(contact):
    with pytest.raises(ValueError, match="the contact must be"):
        user_agent(contact)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.ORG/a", "example.org"),
        ("https://example.org:443/", "example.org"),
        ("http://example.org:443/", "example.org:443"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
    ],
)
def test_a_host_is_named_by_its_host(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url", ["", "example.org", "ftp://example.org", "http://a@example.org", "http://[x", "http://h:x"]
)
def test_what_has_no_host_has_no_host(url):
    with pytest.raises(ValueError, match="address"):
        host_of(url)


# robots.txt


@pytest.mark.parametrize(
    ("text", "path", "is_allowed"),
    [
        ("", "/anything", True),
        ("User-agent: *\nDisallow: /private\n", "/private/a", False),
        ("User-agent: *\nDisallow: /private\n", "/public", True),
        ("User-agent: *\nDisallow: /\nAllow: /matches/\n", "/matches/1", True),
        ("User-agent: *\nDisallow: /*?d=\n", "/data/?d=202611", False),
        ("User-agent: *\nDisallow: /*.csv$\n", "/mmz4281/E0.csv", False),
        ("User-agent: *\nDisallow: /*.csv$\n", "/mmz4281/E0.csv?x", True),
        ("User-agent: spai\nDisallow: /\n\nUser-agent: *\nAllow: /\n", "/", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: SPAI\nDisallow:\n", "/", True),
        ("User-agent: SPAIder\nDisallow: /\n", "/", True),
        ("User-agent: https\nDisallow: /\n", "/", True),  # a word of our contact is not our name
        ("\ufeffUser-agent: *\r\nDisallow: /a # why\r\n", "/a", False),
        (DISALLOW_ALL, "/", False),
        (ALLOW_ALL, "/", True),
        ("<!doctype html><title>Not found</title>", "/", True),
        ("\0\xff: :::\nUser-agent\nDisallow", "/", True),
    ],
)
def test_robots_txt_is_obeyed(text, path, is_allowed):
    assert Robots.parse(text).allows(SITE + path) is is_allowed


def test_robots_txt_itself_may_always_be_requested():
    assert Robots.parse(DISALLOW_ALL).allows(f"{SITE}/robots.txt")


def test_what_is_no_address_is_not_allowed():
    assert not Robots.parse("User-agent: *\nDisallow: /b\n").allows("http://[::1/robots.txt")


@pytest.mark.parametrize(
    ("line", "delay"),
    [
        ("Crawl-delay: 10", timedelta(seconds=10)),
        ("Crawl-delay: 0.5", timedelta(seconds=0.5)),
        ("Crawl-delay: 1e300", LONGEST_GAP),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: nan", None),
        ("Disallow:", None),
    ],
)
def test_the_crawl_delay_is_read_and_bounded(line, delay):
    assert Robots.parse(f"User-agent: *\n{line}\n").crawl_delay() == delay


def test_a_huge_robots_txt_is_cut_at_the_end_of_a_line():
    filler = "# " + "x" * 97 + "\n"
    head = "User-agent: *\nDisallow: /early\n"
    text = head + filler * ((ROBOTS_LIMIT - len(head) - 12) // len(filler))
    text += "#" * (ROBOTS_LIMIT - len(text) - 12) + "\n" + "Disallow: /late\n"
    robots = Robots.parse(text)
    assert len(robots.text) <= ROBOTS_LIMIT
    assert not robots.allows(f"{SITE}/early")
    assert robots.allows(f"{SITE}/late")
    assert robots.allows(f"{SITE}/l")


def test_a_robots_txt_made_to_be_slow_is_read_quickly():
    text = "User-agent: *\n" + "Disallow: /" + "*a" * 200 + "b$\n" * 2000
    assert Robots.parse(text).allows(SITE + "/" + "a" * 4000)


@pytest.mark.parametrize(
    ("response", "is_allowed", "keep"),
    [
        (None, False, ROBOTS_KEEP_UNREACHABLE),
        (answer("", 500), False, ROBOTS_KEEP_UNREACHABLE),
        (answer("User-agent: *\nAllow: /\n", 503), False, ROBOTS_KEEP_UNREACHABLE),
        (answer("", 429), False, ROBOTS_KEEP_UNREACHABLE),
        (answer("<title>Just a moment...</title>"), False, ROBOTS_KEEP_UNREACHABLE),
        (answer("", 302), False, ROBOTS_KEEP_UNREACHABLE),
        (answer("Disallow: /", 404), True, ROBOTS_KEEP),
        (answer("", 410), True, ROBOTS_KEEP),
        (answer("User-agent: *\nDisallow: /\n"), False, ROBOTS_KEEP),
        (answer(""), True, ROBOTS_KEEP),
    ],
)
def test_a_robots_txt_that_does_not_come_is_a_refusal_and_one_that_does_not_exist_is_none(response, is_allowed, keep):
    robots = Robots.of(response)
    assert robots.allows(f"{SITE}/a") is is_allowed
    assert robots.keep == keep
    assert Robots(robots.text) == Robots.parse(robots.text)


# the pause between two requests


@given(
    st.timedeltas(timedelta(), timedelta(hours=1)),
    st.floats(0, 10),
    st.floats(0, 1),
)
def test_a_gap_is_never_shorter_than_the_delay(delay, jitter, draw):
    assert gap(delay, jitter, draw) >= delay


def test_a_gap_grows_with_the_draw():
    seven = timedelta(seconds=7)
    assert gap(seven, 0.5, 0) == seven
    assert gap(seven, 0.5, 0.5) == timedelta(seconds=8.75)


@pytest.mark.parametrize(
    ("delay", "jitter", "draw"), [(-MINUTE, 0, 0), (MINUTE, -0.1, 0), (MINUTE, 0, -0.1), (MINUTE, float("nan"), 0)]
)
def test_a_gap_of_numbers_that_cannot_be_is_refused(delay, jitter, draw):
    with pytest.raises(ValueError, match="out of range"):
        gap(delay, jitter, draw)


# Retry-After


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta()),
        (format_datetime(NOW + MINUTE, usegmt=True), MINUTE),
        ("Mon, 23 Nov 2026 12:01:00 -0000", MINUTE),
        ("Mon, 23 Nov 2026 11:00:00 GMT", timedelta()),
        ("Mon, 23 Nov 2037 11:00:00 GMT", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("Mon, 23 Nov 99999 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_nothing(value, wait):
    assert retry_after(value, NOW) == wait


@given(st.text(max_size=60))
def test_retry_after_never_fails_and_stays_in_its_bounds(value):
    found = retry_after(value, NOW)
    assert found is None or timedelta() <= found <= LONGEST_RETRY_AFTER


# the breaker


def opened(by: FetchOutcome = FetchOutcome.BLOCKED, wait: timedelta | None = None) -> Breaker:
    return Breaker().after(by, NOW, wait, "why")


def test_a_refusal_opens_the_breaker_at_once():
    breaker = opened()
    assert breaker == Breaker(BreakerState.OPEN, 0, 1, NOW, NOW + FIRST_PAUSE, "why")
    assert not breaker.allows(NOW + FIRST_PAUSE - timedelta(microseconds=1))
    assert breaker.allows(NOW + FIRST_PAUSE)


def test_retry_after_makes_a_pause_longer_and_never_shorter():
    assert opened(wait=timedelta(hours=3)).open_until == NOW + timedelta(hours=3)
    assert opened(wait=MINUTE).open_until == NOW + FIRST_PAUSE


@pytest.mark.parametrize("outcome", [FetchOutcome.TIMEOUT, FetchOutcome.HTTP_ERROR])
def test_the_fifth_failure_in_a_row_opens_the_breaker(outcome):
    breaker = Breaker()
    for _ in range(FAILURE_LIMIT - 1):
        breaker = breaker.after(outcome, NOW)
        assert breaker.state is BreakerState.CLOSED
        assert breaker.allows(NOW)
    breaker = breaker.after(outcome, NOW)
    assert breaker.state is BreakerState.OPEN
    assert breaker.reason == outcome


def test_a_failure_that_says_when_to_come_back_opens_until_then_without_counting_as_a_trip():
    breaker = opened(FetchOutcome.HTTP_ERROR, wait=MINUTE)
    assert (breaker.state, breaker.open_until, breaker.trips, breaker.failures) == ("open", NOW + MINUTE, 0, 1)


def test_an_answer_between_starts_the_count_of_failures_anew():
    breaker = Breaker()
    for outcome in (*[FetchOutcome.TIMEOUT] * 4, FetchOutcome.UNCHANGED, *[FetchOutcome.TIMEOUT] * 4):
        breaker = breaker.after(outcome, NOW)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("outcome", ANSWERS)
def test_a_site_that_answers_is_fine_whatever_its_page_shows(outcome):
    assert Breaker(failures=4).after(outcome, NOW) == Breaker()
    probe = opened().admit(NOW + FIRST_PAUSE)
    assert probe.after(outcome, NOW + FIRST_PAUSE + MINUTE) == Breaker()


def test_pauses_double_up_to_a_day():
    breaker, now, pauses = Breaker(), NOW, []
    for _ in range(40):
        breaker = breaker.admit(now).after(FetchOutcome.BLOCKED, now)
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
    assert pauses[:4] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4, FIRST_PAUSE * 8]
    assert pauses[-1] == LONGEST_PAUSE
    assert pauses == sorted(pauses)


def test_after_a_pause_one_probe_goes_and_no_other_until_it_is_heard_of_or_lost():
    later = NOW + FIRST_PAUSE
    probe = opened().admit(later)
    assert probe.state is BreakerState.HALF_OPEN
    assert probe.admit(later) is None
    assert not probe.allows(later + PROBE_LIMIT - MINUTE)
    assert probe.admit(later + PROBE_LIMIT).state is BreakerState.HALF_OPEN


@pytest.mark.parametrize("outcome", REFUSALS)
def test_a_probe_that_fails_opens_for_longer(outcome):
    later = NOW + FIRST_PAUSE
    again = opened().admit(later).after(outcome, later)
    assert (again.state, again.trips, again.open_until) == ("open", 2, later + FIRST_PAUSE * 2)


def test_our_own_fault_changes_nothing_and_gives_the_probe_back():
    assert Breaker(failures=3).after(FetchOutcome.FAILED, NOW) == Breaker(failures=3)
    later = NOW + FIRST_PAUSE
    breaker = opened().admit(later).after(FetchOutcome.FAILED, later)
    assert (breaker.state, breaker.trips, breaker.reason) == ("open", 1, "why")
    assert breaker.admit(later) is not None


def test_a_request_that_began_before_neither_closes_a_breaker_nor_counts_twice():
    breaker = opened()
    assert breaker.after(FetchOutcome.STORED, NOW + MINUTE) == breaker
    assert breaker.after(FetchOutcome.BLOCKED, NOW + MINUTE) == breaker
    longer = breaker.after(FetchOutcome.BLOCKED, NOW + MINUTE, timedelta(hours=2))
    assert (longer.trips, longer.open_until) == (1, NOW + MINUTE + timedelta(hours=2))


def test_an_open_breaker_must_know_until_when():
    with pytest.raises(ValueError, match="open_until"):
        Breaker(state=BreakerState.OPEN)


STEPS = st.lists(
    st.tuples(
        st.timedeltas(timedelta(), timedelta(hours=2)),
        st.booleans(),
        st.sampled_from(FetchOutcome),
        st.none() | st.timedeltas(timedelta(), LONGEST_RETRY_AFTER),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_two_probes_are_never_under_way_and_a_kept_state_is_the_same(steps):
    breaker, now, probe_since = Breaker(), NOW, None
    for pause, asks, outcome, wait in steps:
        now += pause
        if asks:
            admitted = breaker.admit(now)
            assert (admitted is not None) == breaker.allows(now)
            if admitted is not None:
                if admitted.state is BreakerState.HALF_OPEN:
                    assert probe_since is None or now - probe_since >= PROBE_LIMIT
                    probe_since = now
                breaker = admitted
        else:
            was_open = breaker.state is BreakerState.OPEN and not breaker.allows(now)
            breaker = breaker.after(outcome, now, wait)
            if not was_open:
                probe_since = None
            if outcome in REFUSALS and wait:
                assert not breaker.allows(now + wait - timedelta(microseconds=1))
            if outcome is FetchOutcome.BLOCKED:
                assert not breaker.allows(now)
        kept = asdict(breaker) | {"state": str(breaker.state)}
        assert Breaker(**kept) == breaker


# what came


CLOUDFLARE = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body>
<noscript>Enable JavaScript and cookies to continue</noscript><script>window._cf_chl_opt={}</script></body></html>"""
CLOUDFLARE_BLOCK = """<html><head><title>Access denied</title></head><body><h1>Sorry, you have been blocked</h1>
<p>Cloudflare Ray ID: 8a1</p></body></html>"""
INCAPSULA = """<html><head><META NAME="robots" CONTENT="noindex,nofollow"></head><body>
<iframe src="/_Incapsula_Resource?x=1">Request unsuccessful. Incapsula incident ID: 123-456</iframe></body></html>"""
AKAMAI = """<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>
You don't have permission to access this page. Reference #18.2f</BODY></HTML>"""
HUMAN = "<html><body><form>Please verify you are human<div class='g-recaptcha'></div></form></body></html>"
ROWS = "<tr><td>Eastmoor</td><td>2 - 1</td><td>Northbridge</td></tr>"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (answer(CLOUDFLARE), "cloudflare"),
        (answer(CLOUDFLARE + "<!-- " + "x" * 2 * SMALL_PAGE + " -->"), "cloudflare"),
        (answer(CLOUDFLARE_BLOCK), "cloudflare"),
        (answer("anything", cf_mitigated="challenge"), "cloudflare"),
        (answer("error code: 1020", 403, server="cloudflare"), "cloudflare"),
        (answer(INCAPSULA), "incapsula"),
        (answer("\ufeff\n " + INCAPSULA, content_type="text/html"), "incapsula"),
        (answer(AKAMAI), "captcha"),
        (answer(HUMAN), "captcha"),
    ],
)
def test_a_challenge_page_is_known_whatever_its_status(page, name):
    assert challenge(page) == name
    assert judge(page) is FetchOutcome.BLOCKED


@pytest.mark.parametrize(
    "page",
    [
        answer(""),
        answer("<"),
        answer("<html><title></title>"),
        answer(f"<table>{ROWS}</table>", server="cloudflare"),
        answer(f"<title>Results</title><table>{ROWS * 900}</table><p>Access denied to fans; Incapsula incident ID"),
        answer(f"<title>Results</title><table>{ROWS * 60}</table><p>Fans were told: access denied"),
        answer("<script>var text = 'Access denied; verify you are human'</script><p>Eastmoor 2 - 1 Northbridge"),
        answer('<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script><p>Eastmoor 2 - 1 Northbridge'),
        answer('{"headline": "Access denied: verify you are human"}', content_type="application/json"),
        answer('<{"Just a moment": 1}', content_type="application/json; charset=utf-8"),
        answer("Div,Date,HomeTeam\nE0,Access denied,captcha"),
        answer(b"\xff\xfe<\x00" * 100),
    ],
)
def test_a_real_page_is_not_taken_for_a_challenge(page):
    assert challenge(page) == ""
    assert judge(page) is None


@pytest.mark.parametrize(
    "body",
    [
        b"<script src=/cdn-cgi/x.js></script>",
        b"<html><head><meta http-equiv='Refresh' content='5'></head><body>One moment</body></html>",
        b"<p>Bitte bestaetigen</p><form action=/check><input name=token></form>",
        b"<iframe src=https://geo.captcha-delivery.com/></iframe>",
        b"<h1>You have been blocked</h1>",
        b"\xef\xbb\xbf <body>Error 1015: too many requests from this address</body>",
    ],
)
def test_a_challenge_in_place_of_a_page_is_known_by_what_it_lacks(body):
    assert is_stand_in(body, ("Sandbox Results",))
    assert not is_stand_in(body + b"<footer>SANDBOX RESULTS</footer>", ("Sandbox Results",))
    assert not is_stand_in(body + b"<!--" + b"x" * 40_000 + b"-->", ("Sandbox Results",))


@pytest.mark.parametrize(
    "body", [b"", b"Div,Date\n", b'{"error": "blocked"}', b"<p>Summer break</p>", b"<script></script>" + b"word " * 400]
)
def test_a_page_without_a_challenge_is_not_taken_for_one(body):
    assert not is_stand_in(body, ("Sandbox Results",))


@given(st.binary(max_size=300))
def test_no_page_makes_the_judge_fail(body):
    assert challenge(answer(b"<" + body)) in ("", "captcha", "cloudflare", "incapsula")
    assert is_stand_in(b"<" + body, ()) in (True, False)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, None),
        (206, None),
        (304, None),
        (301, FetchOutcome.HTTP_ERROR),
        (401, FetchOutcome.HTTP_ERROR),
        (403, FetchOutcome.BLOCKED),
        (404, FetchOutcome.HTTP_ERROR),
        (408, FetchOutcome.HTTP_ERROR),
        (429, FetchOutcome.BLOCKED),
        (451, FetchOutcome.BLOCKED),
        (500, FetchOutcome.HTTP_ERROR),
        (503, FetchOutcome.HTTP_ERROR),
        (599, FetchOutcome.HTTP_ERROR),
        (0, FetchOutcome.HTTP_ERROR),
    ],
)
def test_a_status_is_judged_before_anybody_reads_the_page(status, outcome):
    assert judge(answer("<p>Eastmoor 2 - 1 Northbridge", status)) is outcome


def test_a_kept_page_is_requested_only_if_it_is_no_longer_the_same():
    kept = {"etag": 'W/"1"', "last-modified": "Mon, 23 Nov 2026 11:00:00 GMT", "content-type": "text/csv"}
    assert conditional_headers(kept) == {
        "if-none-match": 'W/"1"',
        "if-modified-since": "Mon, 23 Nov 2026 11:00:00 GMT",
    }
    assert conditional_headers({}) == {}
    assert conditional_headers({"etag": 'x"\r\nhost: y', "last-modified": "é"}) == {}


def test_our_name_in_a_robots_txt_is_the_one_in_the_user_agent():
    assert user_agent("https://example.org").startswith(AGENT)
