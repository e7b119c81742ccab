"""Bundles for tests that look at their manifest alone."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any


def with_manifest(params: dict[str, Any], *, estimator: str = "elo_logit") -> bytes:
    """Return a bundle without a model, whose manifest says what a version of the sandbox was made with."""
    manifest = {
        "world": "sandbox",
        "estimator": estimator,
        "inputs": "no odds",
        "profile": "smoke",
        "as_of": "2026-11-23T00:00:00+00:00",
        "data_snapshot": 1,
        "rows": 1,
        "trained_from": "2020-01-01",
        "trained_to": "2026-01-01",
        "names": [],
        "params": params,
        "sources_sha256": "0" * 64,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | {"format": 1, "files": {}}))
    return buffer.getvalue()
