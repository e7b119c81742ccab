"""Reads of the push feed: subscriptions, and pages of events after a number."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from apps.matches import feed
from apps.matches.feed import Subscription, SubscriptionError
from apps.matches.models import Event

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ARSENAL = {"match_id": 7, "world": "real", "competition": "premier-league", "home_team": "arsenal"}


def numbered(*rows: dict) -> None:
    plain = {"topic": "match.changed", "key": "1", "created_at": NOW, "away_team": "chelsea"}
    Event.objects.bulk_create(Event(number=number, **(plain | row)) for number, row in enumerate(rows, start=1))


def test_one_value_and_several_are_written_alike_in_an_address_and_in_a_message():
    by_query = Subscription.parse({"match": "7,8", "topic": "match.changed"})
    assert by_query == Subscription.parse({"match": [8, "7"], "topic": ["match.changed"]})
    assert Subscription.parse({"match": 7}) == Subscription.parse({"match": "007"})


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"topics": "match.changed"}, "the filters are match, competition, team, topic, world"),
        ({"topic": "match.won"}, "It must be one of match.changed, prediction.published"),
        ({"world": "other"}, "It must be one of real, sandbox"),
        ({"match": "x"}, "the id of a match"),
        ({"match": True}, "the id of a match"),
        ({"match": "9" * 19}, "the id of a match"),
        ({"match": ""}, "the id of a match"),
        ({"team": "a\x00b"}, "the slug of a team"),
        ({"team": [["arsenal"]]}, "the slug of a team"),
        ({"competition": {}}, "the slug of a competition"),
        ({"team": []}, "from 1 to 100 values"),
        ({"team": ["a"] * 101}, "from 1 to 100 values"),
    ],
)
def test_what_no_event_can_have_is_refused_with_what_is_allowed(wanted, says):
    with pytest.raises(SubscriptionError, match=says) as refused:
        Subscription.parse(wanted)
    assert refused.value.field == next(iter(wanted))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"match": "7"}, [1, 3]),
        ({"match": "7", "topic": "score.settled"}, [3]),
        ({"competition": "premier-league"}, [1, 2, 3]),
        ({"team": "arsenal"}, [1, 3]),
        ({"team": "chelsea,nobody"}, [1, 2, 3]),
        ({"team": "arsenal,chelsea"}, [1, 2, 3]),
        ({"topic": "promotion.made,score.settled"}, [3, 4]),
        ({"topic": "promotion.made", "world": "real"}, []),
        ({"world": "sandbox"}, [4]),
        ({"match": "9"}, []),
    ],
)
def test_a_replay_has_the_events_that_a_subscription_covers(wanted, numbers):
    numbered(
        ARSENAL,
        {"match_id": 8, "world": "real", "competition": "premier-league", "home_team": "leeds"},
        ARSENAL | {"topic": "score.settled"},
        {"topic": "promotion.made", "key": "sandbox", "world": "sandbox", "away_team": ""},
    )
    subscription = Subscription.parse(wanted)
    assert [event.number for event in feed.events_after(0, limit=10, subscriptions=[subscription])] == numbers
    assert [event.number for event in Event.objects.order_by("number") if subscription.covers(event)] == numbers


@pytest.mark.django_db
def test_subscriptions_together_give_each_event_once_and_none_gives_none():
    numbered(ARSENAL, ARSENAL, {"topic": "promotion.made"})
    both = [Subscription.parse({"team": "arsenal"}), Subscription.parse({"match": "7"})]
    assert [event.number for event in feed.events_after(0, limit=10, subscriptions=both)] == [1, 2]
    assert [event.number for event in feed.events_after(1, limit=10, subscriptions=both)] == [2]
    assert [event.number for event in feed.events_after(0, limit=1, subscriptions=both)] == [1]
    assert feed.events_after(0, limit=10, subscriptions=[]) == []


SLUGS = st.sampled_from(["arsenal", "chelsea", "leeds"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "match": st.lists(st.integers(1, 4), min_size=1),
            "team": st.lists(SLUGS, min_size=1),
            "competition": st.lists(st.sampled_from(["premier-league", "cup"]), min_size=1),
            "topic": st.lists(st.sampled_from(["match.changed", "score.settled"]), min_size=1),
            "world": st.lists(st.sampled_from(["real", "sandbox"]), min_size=1),
        },
    ),
    st.tuples(st.integers(1, 4), SLUGS, SLUGS, st.sampled_from(["premier-league", "cup"])),
    st.sampled_from(["match.changed", "score.settled"]),
    st.sampled_from(["real", "sandbox"]),
)
def test_a_subscription_covers_an_event_where_each_filter_has_one_of_its_values(wanted, match, topic, world):
    match_id, home, away, competition = match
    event = Event(topic=topic, world=world, match_id=match_id, competition=competition, home_team=home, away_team=away)
    has = {
        "match": {match_id},
        "team": {home, away},
        "competition": {competition},
        "topic": {topic},
        "world": {world},
    }
    assert Subscription.parse(wanted).covers(event) == all(has[name] & set(values) for name, values in wanted.items())


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [{"match": "7"}, {"team": "rare"}, {"competition": "rare"}, {"world": "sandbox"}])
def test_a_replay_of_few_events_reads_few_of_many(wanted):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO matches_event (number, topic, key, payload, created_at, world, match_id, competition,"
            " home_team, away_team) SELECT n, 'match.changed', 'x', '{}', now(), 'real', 8, 'much', 'a', 'b'"
            " FROM generate_series(1, 20000) AS n"
        )
        Event.objects.create(
            number=20_001, topic="match.changed", key="7", created_at=NOW, world="sandbox", match_id=7,
            competition="rare", home_team="rare",
        )  # fmt: skip
        cursor.execute("ANALYZE matches_event")
    (condition, *_) = Subscription.parse(wanted).conditions()
    plan = Event.objects.filter(condition, number__gt=0).order_by("number")[:200].explain(analyze=True, format="json")
    assert '"Rows Removed by Filter": 20000' not in plan
    assert "Index" in plan
    assert [event.number for event in feed.events_after(0, limit=9, subscriptions=[Subscription.parse(wanted)])] == [
        20_001
    ]
