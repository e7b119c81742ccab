"""The documentation site, built once for all tests, and the tests that documents name."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path) -> None:
    """Build the site as `make docs` does."""
    command = [str(Path(sys.executable).parent / "mkdocs"), "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def node_ids(file: str) -> set[str]:
    """Return the node ids of the tests of a file."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        is_class = isinstance(node, ast.ClassDef)
        for each in node.body if is_class else [node]:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add("::".join([file, *([node.name] if is_class else []), each.name]))
    return found
