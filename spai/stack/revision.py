"""The code that runs: its revision for people, its fingerprint to detect a change."""

# ruff: noqa: S603, S607  every command here is our own

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from spai.stack.environment import BASE, Stack, write_private

CODE = ("apps", "spai", "templates", "requirements")
ENDINGS = {".py", ".csv", ".html", ".css", ".js", ".yaml", ".txt", ".svg", ".json"}


def code_files() -> list[Path]:
    """Return the files that a process reads only at its start, sorted."""
    files = [
        path for folder in CODE for path in (BASE / folder).rglob("*") if path.suffix in ENDINGS and path.is_file()
    ]
    return sorted([BASE / "manage.py", *files])


def fingerprint() -> str:
    """Return a hash of the code files' contents."""
    digest = hashlib.sha256()
    for path in code_files():
        digest.update(f"{path.relative_to(BASE)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def describe(code: str) -> str:
    """Return the git revision, with `+dirty` where files differ from it; without git, the fingerprint `code`."""
    try:
        head = git("rev-parse", "--short=12", "HEAD")
        return f"{head}+dirty" if git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return f"src-{code[:12]}"


def git(*arguments: str) -> str:
    """Return the output of git in this checkout."""
    return subprocess.run(["git", *arguments], cwd=BASE, check=True, capture_output=True, text=True).stdout.strip()


def note(stack: Stack) -> None:
    """Store the revision and fingerprint of the code that the stack is started with."""
    code = fingerprint()
    write_private(stack.run / "revision.json", json.dumps({"fingerprint": code, "revision": describe(code)}))


def read_mark(path: Path) -> dict[str, Any]:
    """Return what an earlier start stored in `path`, empty when there is nothing."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return values


def packages() -> str:
    """Return a hash of the installed packages and their versions."""
    names = sorted(f"{package.metadata['Name']}=={package.version}" for package in distributions())
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def of_start(stack: Stack) -> str:
    """Return the fingerprint of the code that the stack was started with."""
    return str(read_mark(stack.run / "revision.json").get("fingerprint", ""))


def running(stack: Stack) -> str:
    """Return the revision that the stack was started with."""
    return str(read_mark(stack.run / "revision.json").get("revision", "unknown"))
