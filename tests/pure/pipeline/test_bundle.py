"""The served files: the same bytes from the same content, and no forecast from files that are not those."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import files
from tests.pure.pipeline.small_world import AS_OF

MODEL = "xgboost"


@pytest.fixture
def features(built) -> pd.DataFrame:
    names = [row["name"] for row in files.read_catalogue(built)]
    return pd.read_parquet(built / files.FEATURES)[names].astype(np.float64)


@pytest.fixture
def manifest(features) -> bundles.Manifest:
    return bundles.Manifest(
        world="sandbox",
        estimator=MODEL,
        inputs="no odds",
        profile="smoke",
        as_of=AS_OF,
        data_snapshot=7,
        rows=900,
        trained_from=date(2020, 1, 1),
        trained_to=date(2024, 4, 1),
        names=tuple(features.columns),
        params={"horizon": {"hours": 1}},
        sources_sha256="0" * 64,
    )


@pytest.fixture
def pack(built, features, manifest):
    """A function that packs the trained model, with the rows given as golden ones."""

    def make(rows: slice = slice(-5, None), **changes) -> bytes:
        return bundles.pack(
            manifest=replace(manifest, **changes),
            model=built / files.MODEL / MODEL,
            state=(built / files.STATE).read_bytes(),
            catalogue=files.read_catalogue(built),
            golden=features.to_numpy()[rows],
        )

    return make


def rewritten(content: bytes, name: str, change) -> bytes:
    """Return a bundle with one file changed, and the hash of that file in the manifest with it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = change(members[name])
    if name != "manifest.json":
        header = json.loads(members["manifest.json"])
        header["files"][name] = hashlib.sha256(members[name]).hexdigest()
        members["manifest.json"] = json.dumps(header).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return buffer.getvalue()


def test_the_same_content_gives_the_same_bytes(pack):
    assert pack() == pack()
    assert pack(data_snapshot=8) != pack()


def test_an_unpacked_bundle_forecasts_as_the_model_did(pack, built, features, tmp_path):
    from apps.ml.forecasting import estimators

    content = pack()
    bundle = bundles.unpack(content, tmp_path / "b", sha256=hashlib.sha256(content).hexdigest())
    values = features.to_numpy()[-40:]
    model = estimators.load(built / files.MODEL / MODEL)
    found = bundle.forecast(values)
    np.testing.assert_array_equal(found.p, model.predict_proba(values))
    np.testing.assert_array_equal(found.goals, model.expected_goals(values))
    np.testing.assert_allclose(sum(found.contributions.values()), model.raw_score(values), atol=1e-9)
    np.testing.assert_array_equal(found.intervals, model.intervals_around(found.p, values))
    assert bundle.interval_level == 0.8
    assert bundle.manifest.as_of == AS_OF
    assert bundle.state().names == bundle.manifest.names
    assert bundles.open_folder(tmp_path / "b").manifest == bundle.manifest


def test_serving_sees_features_in_the_32_bits_in_which_they_were_stored(pack, features, tmp_path):
    bundle = bundles.unpack(pack(), tmp_path / "b")
    exact = features.to_numpy()[-3:]
    finer = exact * (1 + 1e-9)
    np.testing.assert_array_equal(bundle.forecast(finer).p, bundle.forecast(exact).p)
    assert bundle.features_sha256(finer[0]) == bundle.features_sha256(exact[0])


def test_the_hash_of_features_reports_missing_values_and_changes_apart_but_not_the_two_zeros(pack, features, tmp_path):
    bundle = bundles.unpack(pack(), tmp_path / "b")
    row = features.to_numpy()[-1].copy()
    row[:2] = 0.0, np.nan
    minus = row.copy()
    minus[0] = -0.0
    other = row.copy()
    other[0] = 0.5
    there = row.copy()
    there[1] = 0.0
    hashes = [bundle.features_sha256(each) for each in (row, minus, other, there)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-100],
        lambda content: content.replace(b'"rows": 900', b'"rows": 901'),
        lambda content: b"",
    ],
    ids=["cut short", "a changed byte", "nothing"],
)
def test_bytes_that_are_not_a_whole_zip_are_refused(pack, spoil, tmp_path):
    # The state in the bundle is a zip itself, whose end a reader of a cut bundle may take for its own.
    with pytest.raises(bundles.BundleError, match=r"not a zip|incomplete"):
        bundles.unpack(spoil(pack()), tmp_path / "b")


def test_a_bundle_packed_anew_with_the_same_files_is_the_same_bundle(pack, tmp_path):
    same = rewritten(pack(), "state.bin", lambda data: data)
    assert bundles.unpack(same, tmp_path / "b").manifest.estimator == MODEL


def test_other_bytes_than_the_registered_ones_are_refused(pack, tmp_path):
    with pytest.raises(bundles.BundleError, match="does not have the registered sha256"):
        bundles.unpack(pack(), tmp_path / "b", sha256="0" * 64)


def test_a_file_that_changed_on_the_disk_is_refused(pack, tmp_path):
    bundles.unpack(pack(), tmp_path / "b")
    path = tmp_path / "b" / "model" / "estimator.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(bundles.BundleError, match=r"model/estimator\.json in the bundle has changed"):
        bundles.open_folder(tmp_path / "b")


def test_a_missing_file_is_refused(pack, tmp_path):
    bundles.unpack(pack(), tmp_path / "b")
    (tmp_path / "b" / "state.bin").unlink()
    with pytest.raises(bundles.BundleError, match="incomplete"):
        bundles.open_folder(tmp_path / "b")


def test_a_model_with_a_weight_that_is_no_number_is_refused(pack, tmp_path):
    def spoil(data: bytes) -> bytes:
        content = json.loads(data)
        content["state"]["logit"]["mean"][0] = float("nan")
        return json.dumps(content).encode()

    with pytest.raises(bundles.BundleError, match=r"a number in estimator\.json is NaN"):
        bundles.unpack(rewritten(pack(), "model/estimator.json", spoil), tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model/estimator.json", b"[]"),
        ("model/estimator.json", b'{"format": 2, "kind": "xgboost"}'),
        ("model/trees.ubj", b"no trees"),
        ("manifest.json", b"{}"),
        ("catalogue.json", b'[{"title": 1}]'),
        ("golden.json", b"["),
    ],
)
def test_files_of_another_shape_are_refused_by_name_of_the_fault_and_not_by_a_crash(pack, tmp_path, name, content):
    with pytest.raises(bundles.BundleError, match=r"incomplete|differ"):
        bundles.unpack(rewritten(pack(), name, lambda _: content), tmp_path / "b")


def test_a_bundle_of_another_format_is_refused(pack, tmp_path):
    newer = rewritten(pack(), "manifest.json", lambda data: data.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(bundles.BundleError, match="another format"):
        bundles.unpack(newer, tmp_path / "b")


def test_a_model_with_other_columns_than_the_manifest_is_refused(pack, features, tmp_path):
    swapped = (features.columns[1], features.columns[0], *features.columns[2:])
    with pytest.raises(bundles.BundleError, match="the features of the model, the catalogue and the manifest differ"):
        bundles.unpack(pack(names=swapped), tmp_path / "b")


def test_a_model_that_does_not_give_its_golden_forecasts_is_refused(pack, tmp_path):
    def bend(data: bytes) -> bytes:
        golden = json.loads(data)
        golden["p"][0][0] += 0.001
        return json.dumps(golden).encode()

    with pytest.raises(bundles.BundleError, match=r"golden rows: p differ by 0\.001"):
        bundles.unpack(rewritten(pack(), "golden.json", bend), tmp_path / "b")


@pytest.mark.parametrize(
    ("made_with", "difference", "refused"),
    [
        (bundles.running_python(), 1e-8, False),
        ("3.10", 0.0, False),
        ("3.10", 1e-10, False),
        ("3.10", 1e-8, True),
    ],
)
@pytest.mark.parametrize("column", ["p", "goals"])
def test_a_bundle_of_another_python_must_give_its_golden_forecasts_to_the_ninth_digit(
    pack, tmp_path, made_with, difference, refused, column
):
    def as_if_made_elsewhere(data: bytes) -> bytes:
        golden = json.loads(data)
        assert golden["python"] == bundles.running_python()
        golden["python"] = made_with
        golden[column][0][0] += difference
        return json.dumps(golden).encode()

    content = rewritten(pack(), "golden.json", as_if_made_elsewhere)
    if not refused:
        assert bundles.unpack(content, tmp_path / "b").golden["python"] == made_with
        return
    words = (
        rf"{column} differ by 1e-08 from those of Python 3\.10, which made .* this is Python {bundles.running_python()}"
    )
    with pytest.raises(bundles.BundleError, match=words):
        bundles.unpack(content, tmp_path / "b")


def test_a_bundle_that_names_no_python_was_made_with_the_first_one(pack, tmp_path, monkeypatch):
    def without_python(data: bytes) -> bytes:
        golden = json.loads(data)
        del golden["python"]
        golden["p"][0][0] += 1e-8
        return json.dumps(golden).encode()

    content = rewritten(pack(), "golden.json", without_python)
    monkeypatch.setattr(bundles, "running_python", lambda: "3.11")
    assert bundles.unpack(content, tmp_path / "b").manifest.estimator == MODEL
    monkeypatch.setattr(bundles, "running_python", lambda: "3.13")
    with pytest.raises(bundles.BundleError, match=r"those of Python 3\.11, .* this is Python 3\.13"):
        bundles.open_folder(tmp_path / "b")


def test_a_bundle_cannot_write_outside_its_folder(pack, tmp_path):
    buffer = io.BytesIO(pack())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../escaped.txt", "out")
    with pytest.raises(bundles.BundleError, match="outside its folder"):
        bundles.unpack(buffer.getvalue(), tmp_path / "inner" / "b")
    assert not list(Path(tmp_path).rglob("escaped.txt"))


def test_a_golden_row_may_lack_values(pack, features, tmp_path):
    assert features.iloc[:5].isna().any().any(), "the first matches have no form"
    assert bundles.unpack(pack(slice(0, 5)), tmp_path / "b").manifest.estimator == MODEL
