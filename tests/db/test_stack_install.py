"""Making the environment: which Python is taken, when there is work to do, what is said when it cannot be done."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "requirements" / "install.py"


def load(venv: Path):
    """Return the script as a module that works on another environment."""
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.VENV, module.BINARIES, module.STAMP = venv, venv / "bin", venv / "installed.sha256"
    return module


@pytest.fixture
def install(tmp_path):
    return load(tmp_path / ".venv")


def make_usable(install) -> None:
    install.BINARIES.mkdir(parents=True)
    (install.BINARIES / "python").symlink_to(sys.executable)
    (install.BINARIES / "pip").write_text(f"#!{install.BINARIES}/python\n")


def fake_python(folder: Path, version: str) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def test_the_python_that_is_named_is_taken_when_it_fits(install, monkeypatch):
    monkeypatch.setenv("PYTHON", sys.executable)
    assert install.find_python() == sys.executable


def test_another_version_is_refused_with_its_number_and_what_to_install(install, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHON", fake_python(tmp_path / "other", "3 13"))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 .*is 3\.13.*\n.*apt-get install python3 python3-venv"):
        install.find_python()


def test_a_python_that_is_not_there_is_said_so(install, monkeypatch):
    monkeypatch.setenv("PYTHON", "/nowhere/python3.11")
    with pytest.raises(SystemExit, match="is not there"):
        install.find_python()


def test_a_python_without_venv_names_the_package(install, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(SystemExit, match="apt-get install python3-venv"):
        install.make_venv(str(python))


def test_work_is_left_out_only_while_the_locks_are_the_same(install, monkeypatch, tmp_path):
    assert not install.is_current()
    make_usable(install)
    install.STAMP.write_text(install.stamp())
    assert install.is_current()
    changed = tmp_path / "all.txt"
    changed.write_text("django==0\n")
    monkeypatch.setattr(install, "LOCK", changed)
    assert not install.is_current()


def test_an_environment_that_was_moved_is_not_usable(install, tmp_path):
    make_usable(install)
    assert install.is_usable()
    install.VENV.rename(tmp_path / "moved")
    assert not load(tmp_path / "moved").is_usable()


def test_a_command_that_fails_shows_its_last_lines(install):
    with pytest.raises(SystemExit, match=r"fetching failed.*\n +no space left\n"):
        install.run([sys.executable, "-c", "print('no space left'); raise SystemExit(1)"], "fetching")


def test_a_second_run_ends_at_once_and_says_nothing_when_asked(install, monkeypatch, capsys):
    make_usable(install)
    install.STAMP.write_text(install.stamp())
    monkeypatch.setattr("sys.argv", ["install.py", "--quiet"])
    install.main()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.argv", ["install.py"])
    install.main()
    assert "is up to date" in capsys.readouterr().out


def test_the_script_needs_nothing_that_python_does_not_bring():
    code = f"import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='read')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, env={"PATH": os.defpath})


def test_uv_is_pinned_with_hashes_and_no_lock_names_a_download_address():
    bootstrap = (ROOT / "requirements" / "bootstrap.txt").read_text()
    assert bootstrap.startswith("uv==")
    assert "--hash=sha256:" in bootstrap
    for name in ("all.txt", "bootstrap.txt"):
        assert "://" not in (ROOT / "requirements" / name).read_text()


def test_every_make_target_is_two_lines_at_most_and_says_what_it_does():
    lines = (ROOT / "Makefile").read_text().splitlines()
    targets = [
        number for number, line in enumerate(lines) if line and line[0].isalpha() and ": " in line and "##" in line
    ]
    names = {lines[number].split(":")[0] for number in targets}
    assert {"up", "down", "restart", "logs", "status", "test", "test-pure", "test-faults", "lock", "lint"} <= names
    for number in targets:
        following = [line for line in lines[number + 1 : number + 4] if line.startswith("\t")]
        assert 1 <= len(following) <= 2


def make(target: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "--directory", str(folder), "--makefile", str(ROOT / "Makefile"), target]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["down", "status", "logs"])
def test_what_looks_at_a_stack_or_ends_it_installs_nothing(tmp_path, target):
    missing = make(target, tmp_path)
    assert missing.returncode != 0
    assert "No .venv yet: run make up." in missing.stderr
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text('#!/bin/sh\necho "asked: $*"\n')
    (binaries / "python").chmod(0o755)
    # The folder holds no requirements/install.py: whoever called it would fail.
    done = make(target, tmp_path)
    assert done.returncode == 0
    assert f"asked: manage.py stack {target}" in done.stdout
