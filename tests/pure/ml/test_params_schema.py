"""What a run may change of params.yaml, and what it is told when it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from apps.ml import params_schema
from apps.ml.params_schema import ParametersRefusedError, flat, overridden, parsed

PARAMS = yaml.safe_load(Path("apps/ml/params.yaml").read_text())


def refusal(**overrides) -> str:
    with pytest.raises(ParametersRefusedError) as refused:
        overridden(PARAMS, {name.replace("__", "."): value for name, value in overrides.items()})
    return str(refused.value)


def test_params_yaml_fits_its_own_schema():
    schema = params_schema.schema_of(PARAMS)
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(PARAMS)] == []


def test_every_rule_is_about_a_parameter():
    names = list(flat(params_schema.schema_of(PARAMS)))
    known = {name.replace("properties.", "").rpartition(".")[0] for name in names}
    for pattern in params_schema.RULES["bounds"]:
        assert any(params_schema.fnmatch.fnmatchcase(name, pattern) for name in known), pattern
    assert set(params_schema.RULES["not_of_a_run"]) < set(PARAMS)


def test_a_form_parameter_says_its_value_and_what_is_allowed():
    rounds, *_ = (each for each in params_schema.form_parameters(PARAMS) if "xgboost" in each.name)
    assert rounds.defaults == {"smoke": 40, "production": 150}
    assert rounds.name_for("smoke") == "train.smoke.xgboost.rounds"
    assert params_schema.allowed(rounds.schema) == "a whole number from 1 to 5,000"


def test_a_value_replaces_the_one_of_the_same_name_and_leaves_the_given_parameters_alone():
    changed = overridden(PARAMS, {"split.test_refits": 4, "features.form.windows": [1, 3]})
    assert changed["split"]["test_refits"] == 4
    assert changed["features"]["form"]["windows"] == [1, 3]
    assert PARAMS["split"]["test_refits"] == 6
    assert overridden(PARAMS, {}) == PARAMS


def test_a_section_that_params_yaml_shares_changes_wherever_it_stands():
    changed = overridden(PARAMS, {"train.production.xgboost.rounds": 99})
    assert changed["train"]["production"]["pool"]["members"]["xgboost"]["rounds"] == 99
    assert changed["train"]["smoke"]["xgboost"]["rounds"] == 40


def test_what_params_yaml_leaves_open_may_be_added():
    assert overridden(PARAMS, {"split.fit_rows.production": 50000})["split"]["fit_rows"]["production"] == 50000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("split__test_refits", "many", "split.test_refits is “many”; allowed: a whole number from 1 to 50."),
        ("split__test_refits", True, "a whole number from 1 to 50"),
        ("split__test_refits", None, "a whole number from 1 to 50"),
        ("split__refit_month", 13, "a whole number from 1 to 12"),
        ("features__elo__k0", float("nan"), "a number from 0.1 to 100"),
        ("features__elo__home_edge", float("inf"), "a whole number from 0 to 1,000,000,000"),
        ("evaluate__devig", "magic", "one of multiplicative, power, shin"),
        ("features__form__windows", [], "a list, each a whole number from 1 to 100"),
        ("features__form__windows", [0], "a list, each a whole number from 1 to 100"),
        ("train__production__logit__l2", "x", "a number from 0 to 1,000,000,000 or a list, each a number from 0"),
        ("split", 4, "split is a section; name what to change in it: refit_month, refit_day"),
        ("split__test_refit", 4, "Did you mean split.test_refits? Allowed in split: refit_month, refit_day"),
        ("split__test_refits__deep", 4, "split.test_refits.deep is not a parameter"),
        ("nonsense", 4, "nonsense is not a parameter. Allowed: horizon, features, prices, split, train"),
        ("gates__ece_draws", 4, "gates.ece_draws cannot be changed for one run: the gates judge all versions"),
        ("run__world", "real", "run.world is not a parameter"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_allowed(name, value, said):
    assert said in refusal(**{name: value})


def test_all_refusals_are_said_at_once():
    with pytest.raises(ParametersRefusedError) as refused:
        overridden(PARAMS, {"split.refit_day": 0, "split.refit_month": 0, "split.least_rows": 100})
    assert len(refused.value.messages) == 2


@pytest.mark.parametrize(
    "text",
    [
        "split: {test_refits: 4}",
        "split:\n  test_refits: 4\n",
        '{"split": {"test_refits": 4}}',
        "split.test_refits: 4",
        '{"split.test_refits": 4}',
    ],
)
def test_parameters_are_read_from_yaml_and_json_nested_or_dotted(text):
    assert parsed(text) == {"split.test_refits": 4}


def test_an_empty_text_changes_nothing():
    assert parsed("") == parsed("  \n# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("split: [", "neither YAML nor JSON"),
        ("a: b\n c: d: e", "in line 2"),
        ("[1, 2]", "Write names with values"),
        ("4", "Write names with values"),
        ("a: &x [1]\nb: [*x, *x]", "anchors and aliases"),
        ("[" * 400, "neither YAML nor JSON"),
        ("[" * 10_000, "more than 500 brackets"),
        ("a: !!python/object/apply:os.system [id]", "neither YAML nor JSON"),
        (r'"\ud800": "\0"', "a backslash is not read"),
        ("a: 1 " * 10_000, "at most 20,000"),
        ("a: 2026-13-45", "neither YAML nor JSON"),
    ],
)
def test_a_text_that_is_no_mapping_is_refused_with_how_to_write_it(text, said):
    with pytest.raises(ParametersRefusedError, match=said):
        parsed(text)
