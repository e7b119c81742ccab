"""The policy of promotion and retraining: its defaults, and what an operator may set."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from apps.ml import policy
from apps.ml.pipeline.revision import params_sha256

PARAMS = yaml.safe_load(Path("apps/ml/params.yaml").read_text())
DEFAULTS = policy.Policy.of(PARAMS)


def test_each_value_has_its_meaning_and_a_default_within_its_bounds():
    values = DEFAULTS.flat()
    assert values.pop(policy.MODE) in policy.MODES
    assert {rule.name for rule in policy.RULES} == set(values)
    assert policy.checked(values, DEFAULTS) == {}
    assert all(rule.meaning for rule in policy.RULES)


def test_only_what_differs_from_the_defaults_is_kept_in_the_type_of_the_default():
    found = policy.checked(
        {
            "promote.mode": "automatic",
            "compare.least_matches": 600.0,
            "fall_back.allowance": 0,
            "retrain.every_days": 7,
        },
        DEFAULTS,
    )
    assert found == {"promote.mode": "automatic", "compare.least_matches": 600, "fall_back.allowance": 0.0}
    assert isinstance(found["compare.least_matches"], int)
    changed = DEFAULTS.with_changes(found)
    assert (changed.mode, changed.compare["least_matches"], changed.retrain) == ("automatic", 600, DEFAULTS.retrain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("promote.mode", "always"),
        ("promote.mode", 1),
        ("compare.least_matches", 0),
        ("compare.least_matches", 1.5),
        ("compare.least_matches", "600"),
        ("compare.least_matches", True),
        ("compare.least_matches", math.nan),
        ("compare.log_loss_allowance", math.inf),
        ("fall_back.level", 1.0),
        ("fall_back.is_on", 1),
        ("retrain.no_such_value", 1),
        ("train.seed", 1),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_name(name, value):
    with pytest.raises(policy.PolicyError) as refused:
        policy.checked({name: value}, DEFAULTS)
    assert refused.value.name == name


def test_a_value_of_an_earlier_release_changes_nothing():
    assert DEFAULTS.with_changes({"promote.gone": 1, "gone.entirely": 2}) == DEFAULTS


def test_the_policy_is_no_part_of_what_a_version_is_made_from():
    changed = PARAMS | {"retrain": {"is_on": False}}
    assert params_sha256(changed, "smoke") == params_sha256(PARAMS, "smoke")
    assert params_sha256(PARAMS | {"horizon": {"hours": 2}}, "smoke") != params_sha256(PARAMS, "smoke")
