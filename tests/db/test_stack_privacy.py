"""Files under var are for their owner alone: new ones, and those that earlier versions left open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from argparse import Namespace

import pytest

from spai.stack import cli, lifecycle, privacy, servers


def mode(path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def var(tmp_path):
    """A folder as earlier versions left it."""
    var = tmp_path / "var"
    for folder in ("log", "runs/1/data", "static", "dvc-cache/files", "postgres/base"):
        (var / folder).mkdir(parents=True)
    for name in ("stack.env", "runs/1/data/matches.csv", "dvc-cache/files/object", "postgres/PG_VERSION"):
        (var / name).write_text("18\n")
    for path in (var, *var.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o644)
    (var / "dvc-cache" / "files" / "object").chmod(0o444)
    (tmp_path / "code").write_text("not ours to close")
    (tmp_path / "code").chmod(0o644)
    (var / "runs" / "1" / "code").symlink_to(tmp_path / "code")
    return var


def test_what_an_earlier_version_left_open_is_closed_once(var, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "unprivileged_mode", lambda: "plain")
    assert privacy.close(var) == 10
    for path in (var, *(path for path in var.rglob("*") if path.is_dir() and "postgres" not in path.parts)):
        assert mode(path) == 0o700, path
    assert mode(var / "stack.env") == mode(var / "runs" / "1" / "data" / "matches.csv") == 0o600
    # What DVC and PostgreSQL look after themselves, and what lies elsewhere.
    assert mode(var / "dvc-cache" / "files" / "object") == 0o444
    assert mode(var / "postgres" / "PG_VERSION") == 0o644
    assert mode(tmp_path / "code") == 0o644
    assert privacy.close(var) == 0


def test_a_postgresql_that_runs_as_nobody_still_comes_to_its_files(var, monkeypatch):
    monkeypatch.setattr(servers, "unprivileged_mode", lambda: "nobody")
    privacy.close(var)
    assert mode(var) == 0o711


def test_whatever_the_stack_makes_is_private(tmp_path, monkeypatch):
    made = tmp_path / "made"

    def up(report):
        code = f"import pathlib; pathlib.Path({str(made)!r}).mkdir(); pathlib.Path({str(made / 'file')!r}).touch()"
        subprocess.run([sys.executable, "-c", code], check=True)

    monkeypatch.setattr(lifecycle, "up", up)
    before = os.umask(0o022)
    try:
        assert cli.run(Namespace(action="up")) == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert (mode(made), mode(made / "file")) == (0o700, 0o600)


def test_raw_pages_and_static_files_are_kept_private(tmp_path):
    from django.core.files.base import ContentFile
    from django.core.files.storage import FileSystemStorage

    storage = FileSystemStorage(location=tmp_path / "pages")
    storage.save("a/b.html", ContentFile(b"x"))
    assert mode(tmp_path / "pages" / "a" / "b.html") == 0o600
    assert mode(tmp_path / "pages" / "a") == 0o700
