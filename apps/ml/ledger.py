"""The arithmetic of the ledger: canonical JSON, Merkle trees as in RFC 6962, and the chain of days.

A leaf is the canonical JSON of one published forecast. The tree of a day has its forecasts as leaves, and the entry of
a day names the root of that tree and the hash of the entry of the day before: anyone who has one hash can prove
later that no forecast up to that day was changed, added or removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

BEFORE_THE_FIRST: Final = "0" * 64
"""Stands for the hash of the day before the first."""


def canonical(content: Mapping[str, Any]) -> str:
    """Return content as the one text that is hashed: keys sorted, no space, nothing escaped without need (RFC 8785).

    Raises
    ------
    TypeError
        For a float. Programs write floats in different ways; those of a forecast are texts (`decimal`).
    """
    if any(isinstance(value, float) for value in content.values()):
        raise TypeError("a float has no canonical text; write it by `decimal`")
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decimal(value: float) -> str:
    """Return the shortest decimal text that stands for exactly this float, in any language."""
    return repr(float(value))


def leaf_hash(leaf: str) -> bytes:
    """Return the hash of a leaf, which no inner node can have."""
    return hashlib.sha256(b"\x00" + leaf.encode()).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the levels of the tree over hashes of leaves, from these to the root.

    A node without a neighbour moves up as it is, which gives the tree of RFC 6962, section 2.1.
    """
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [node_hash(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)]
        levels.append(above + below[len(above) * 2 :])
    return levels


def root_of(tree: Sequence[Sequence[bytes]]) -> bytes:
    """Return the hash at the root; that of nothing for a tree without leaves."""
    return tree[-1][0] if tree[-1] else hashlib.sha256().digest()


def path_of(tree: Sequence[Sequence[bytes]], position: int) -> list[bytes]:
    """Return the inclusion proof of the leaf at a position from 0: the neighbours on its way to the root.

    Raises
    ------
    IndexError
        When there is no such leaf.
    """
    if not 0 <= position < len(tree[0]):
        raise IndexError(f"the tree has no leaf {position}")
    path = []
    for level in tree[:-1]:
        neighbour = position ^ 1
        if neighbour < len(level):
            path.append(level[neighbour])
        position //= 2
    return path


def entry_hash(*, world: str, day: str, forecasts: int, root: str, previous: str) -> str:
    """Return the hash of the entry of a day, which the entry of the next day names as `previous`."""
    entry = {"world": world, "day": day, "forecasts": forecasts, "root": root, "previous": previous}
    return hashlib.sha256(canonical(entry).encode()).hexdigest()
