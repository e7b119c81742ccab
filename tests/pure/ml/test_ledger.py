"""The arithmetic of the ledger, against RFC 6962 and against the verifier that strangers use."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ml import ledger

VERIFIER = Path(__file__).parents[3] / "clients/python/spai_client/verify.py"

# The leaves of the tests of Certificate Transparency, and the roots that they publish for the first n of them.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.fixture(scope="module")
def verify():
    spec = importlib.util.spec_from_file_location("verify_alone", VERIFIER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.verify


@pytest.mark.parametrize("size", range(9))
def test_the_tree_is_that_of_certificate_transparency(size):
    hashes = [hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in LEAVES[:size]]
    assert ledger.root_of(ledger.tree_of(hashes)).hex() == ROOTS[size]


def recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


def recursive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """The definition of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*recursive_path(m, leaves[:k]), recursive_root(leaves[k:])]
    return [*recursive_path(m - k, leaves[k:]), recursive_root(leaves[:k])]


@given(st.integers(1, 200), st.data())
def test_roots_and_paths_are_those_of_the_definition(size, data):
    leaves = [ledger.leaf_hash(str(n)) for n in range(size)]
    tree = ledger.tree_of(leaves)
    position = data.draw(st.integers(0, size - 1))
    assert ledger.root_of(tree) == recursive_root(leaves)
    assert ledger.path_of(tree, position) == recursive_path(position, leaves)


def proof_of(texts: list[str], position: int) -> dict:
    tree = ledger.tree_of([ledger.leaf_hash(text) for text in texts])
    named = {
        "world": "real",
        "day": "2026-11-29",
        "forecasts": len(texts),
        "root": ledger.root_of(tree).hex(),
        "previous": ledger.BEFORE_THE_FIRST,
    }
    path = [each.hex() for each in ledger.path_of(tree, position)]
    entry = named | {"hash": ledger.entry_hash(**named), "closed_at": "2026-11-30T00:30:00Z"}
    return {"leaf": texts[position], "position": position, "path": path, "entry": entry}


TEXTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)).map(ledger.canonical), min_size=1)


@given(TEXTS, st.data())
def test_the_verifier_accepts_every_forecast_of_a_day(verify, texts, data):
    position = data.draw(st.integers(0, len(texts) - 1))
    proof = proof_of(texts, position)
    assert verify(proof, proof["entry"]["hash"]) == json.loads(texts[position])


@given(st.integers(1, 40), st.data())
def test_the_verifier_refuses_a_proof_of_which_anything_was_changed(verify, size, data):
    proof = proof_of([ledger.canonical({"n": n}) for n in range(size)], data.draw(st.integers(0, size - 1)))
    trusted = proof["entry"]["hash"]
    changes = [
        lambda: proof.update(leaf=ledger.canonical({"n": -1})),
        lambda: proof.update(position=size),
        lambda: proof.update(position=-1),
        lambda: proof["path"].append("00" * 32),
        lambda: proof["entry"].update(forecasts=size + 1),
        lambda: proof["entry"].update(root="00" * 32),
        lambda: proof["entry"].update(previous="11" * 32),
        lambda: proof["entry"].update(day="2026-11-28"),
        lambda: proof["entry"].update(hash="00" * 32),
    ]
    if proof["path"]:
        changes += [lambda: proof["path"].pop(), lambda: proof.update(position=proof["position"] ^ 1)]
    data.draw(st.sampled_from(changes))()
    with pytest.raises((ValueError, KeyError)):
        verify(proof, trusted)


def test_the_verifier_needs_python_alone_and_ends_in_an_error_for_a_changed_forecast(tmp_path):
    file = tmp_path / "proof.json"
    proof = proof_of(['{"home_team":"Arsenal"}', '{"home_team":"Chelsea"}'], 0)
    command = [sys.executable, "-I", "-S", str(VERIFIER), str(file)]
    file.write_text(json.dumps(proof))
    good = subprocess.run([*command, proof["entry"]["hash"]], capture_output=True, text=True, check=True)
    assert json.loads(good.stdout) == {"home_team": "Arsenal"}
    file.write_text(json.dumps(proof | {"leaf": '{"home_team":"Leeds"}'}))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_of_a_leaf_stands_for_exactly_one_float(value):
    assert float(ledger.decimal(value)) == value


def test_canonical_json_is_that_of_rfc_8785_and_holds_no_float():
    # The escapes of RFC 8785, section 3.2.2.2, and its order of keys.
    assert ledger.canonical({"b": 1, "a": '\u20ac$\x0f\nA\'B"\\"/'}) == '{"a":"€$\\u000f\\nA\'B\\"\\\\\\"/","b":1}'
    with pytest.raises(TypeError, match="canonical"):
        ledger.canonical({"p_home": 0.5})
