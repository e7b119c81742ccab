"""Prove that a forecast is as it was published: `python verify.py ADDRESS-OR-FILE-OF-A-PROOF [HASH]`.

Needs Python alone. HASH is that of the day's entry in the ledger, from wherever you trust it: your own notes, or the
Atom feed of that day. Without it you learn that forecast and entry belong together, not that the entry is the first.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen


def sha256(*parts: bytes) -> bytes:
    """Return the hash over several bytes, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def verify(proof: dict[str, Any], trusted: str | None = None) -> dict[str, Any]:
    """Return the forecast that a proof is of; raise ValueError when the proof does not hold."""
    entry, at = proof["entry"], proof["position"]
    node, last = sha256(b"\0", proof["leaf"].encode()), entry["forecasts"] - 1
    if not 0 <= at <= last:
        raise ValueError("The position lies outside the tree of the day.")
    for neighbour in map(bytes.fromhex, proof["path"]):  # RFC 9162, section 2.1.3.2
        if last == 0:
            raise ValueError("The path is too long for the tree of the day.")
        node = sha256(b"\1", neighbour, node) if at % 2 or at == last else sha256(b"\1", node, neighbour)
        while at == last and at % 2 == 0 and at:
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    if last or node.hex() != entry["root"]:
        raise ValueError("The forecast is not in the tree of the day: it was changed, or the proof was.")
    named = {name: entry[name] for name in ("world", "day", "forecasts", "root", "previous")}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if sha256(text.encode()).hex() != entry["hash"] or trusted not in (None, entry["hash"]):
        raise ValueError("The entry of the day is not the one with this hash.")
    return json.loads(proof["leaf"])


if __name__ == "__main__":
    place = sys.argv[1]
    proof = urlopen(place).read() if "://" in place else Path(place).read_bytes()
    print(json.dumps(verify(json.loads(proof), *sys.argv[2:3]), indent=2, ensure_ascii=False))
