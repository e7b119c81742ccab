"""Every feature belongs to a group of contributions, and every group has a label."""

from __future__ import annotations

import pytest

from apps.ml.forecasting import contributions
from apps.ml.forecasting.features import FAMILIES, FeatureState
from apps.ml.pipeline import files
from apps.ml.pipeline.featurize import catalogue_of
from apps.ml.pipeline.warm_up import CHECKOUT


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The names of all features, those made of prices among them."""
    params = files.read_params(CHECKOUT)
    state = FeatureState.new(params["features"], [name for name in FAMILIES if name != "market"])
    return [row["name"] for row in catalogue_of(state, params)]


def test_each_feature_is_named_by_the_prefix_of_exactly_one_group(names):
    for name in names:
        found = [group.name for group in contributions.GROUPS if name.startswith(group.prefixes)]
        assert found == [contributions.group_of(name)], name


def test_each_prefix_names_a_feature(names):
    prefixes = [prefix for group in contributions.GROUPS for prefix in group.prefixes]
    assert [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in names)] == []


def test_each_group_has_a_label_of_its_own():
    labels = {contributions.label_of(group.name) for group in contributions.GROUPS}
    assert len(labels) == len(contributions.GROUPS)


def test_a_group_of_an_older_model_is_shown_by_its_name():
    assert contributions.label_of("set_pieces") == "Set pieces"
