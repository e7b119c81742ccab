"""The order of trust."""

from __future__ import annotations

from itertools import pairwise

import pytest

from apps.matches.trust import OPERATOR, ORDER, DecisionReason, decision, outranks


def test_the_operator_comes_first_and_a_source_without_a_place_last():
    order = (OPERATOR, "football-data", "whoscored", "openfootball", "somebody")
    assert order[:-1] == ORDER
    for better, worse in pairwise(order):
        assert outranks(better, worse)
        assert not outranks(worse, better)


@pytest.mark.parametrize("pair", [("sandbox", "sandbox-files"), ("one", "other"), ("football-data", "football-data")])
def test_equals_do_not_outrank_each_other(pair):
    assert not outranks(*pair)
    assert not outranks(*reversed(pair))


@pytest.mark.parametrize(
    ("standing", "other", "why"),
    [
        (OPERATOR, "football-data", DecisionReason.OPERATOR),
        ("football-data", "openfootball", DecisionReason.TRUST),
        ("openfootball", "somebody", DecisionReason.TRUST),
        ("sandbox", "sandbox-files", DecisionReason.FIRST),
    ],
)
def test_a_decision_has_its_reason(standing, other, why):
    assert decision(stored=standing, other=other) is why
