"""Making the environment: which Python is taken, when there is work to do, what is said when it cannot be done."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
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


def fake_python(folder: Path, version: str, name: str = "python3", *, ordinary: int = 1, complete: int = 1) -> str:
    """Return the path of a script that answers the probe as a Python of `version` would."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    answer = f"{version.replace('.', ' ')} {ordinary} {complete}"
    path.write_text(f"#!/bin/sh\necho {answer}\necho {path}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without any Python: an empty PATH and home."""
    monkeypatch.delenv("PYTHON", raising=False)
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "machine"
    (folder / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setattr(sys, "executable", fake_python(folder / "running", "3.14"))
    return folder


def fake_command(folder: Path, name: str, code: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)


def test_the_python_that_is_named_is_taken_when_it_is_supported(install, monkeypatch):
    monkeypatch.setenv("PYTHON", sys.executable)
    python = install.find_python()
    assert python.version == sys.version_info[:2]
    assert Path(python.path).samefile(sys._base_executable)


def test_a_named_python_of_another_version_is_refused_with_its_number(install, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHON", fake_python(tmp_path / "other", "3.14"))
    with pytest.raises(SystemExit, match=r"(?s)needs Python 3\.13, 3\.12 or 3\.11 .*is Python 3\.14.*uv python"):
        install.find_python()


def test_a_named_python_that_is_missing_is_an_error(install, monkeypatch):
    monkeypatch.setenv("PYTHON", "/nowhere/python3.11")
    with pytest.raises(SystemExit, match=r"/nowhere/python3\.11: is missing or does not run"):
        install.find_python()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("bin", "python3.13"),
        ("bin", "python3"),
        ("home/.pyenv/versions/3.13.2/bin", "python3.13"),
        ("home/.local/share/uv/python/cpython-3.13.2-linux-x86_64-gnu/bin", "python3.13"),
    ],
)
def test_the_newest_supported_python_is_taken_wherever_it_lies(install, machine, folder, name):
    fake_python(machine / "bin", "3.11", "python3.11")
    fake_python(machine / "bin", "3.12", "python3.12")
    newest = fake_python(machine / folder, "3.13", name)
    assert (install.find_python().version, install.find_python().path) == ((3, 13), newest)


def test_the_latest_patch_of_pyenv_is_taken(install, machine):
    fake_python(machine / "home/.pyenv/versions/3.12.9/bin", "3.12", "python3.12")
    latest = fake_python(machine / "home/.pyenv/versions/3.12.10/bin", "3.12", "python3.12")
    assert install.find_python().path == latest


def test_a_command_of_pyenv_whose_version_is_not_switched_on_is_passed_over(install, machine):
    fake_command(machine / "bin", "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    installed = fake_python(machine / "home/.pyenv/versions/3.13.0/bin", "3.13", "python3.13")
    assert install.find_python().path == installed


@pytest.mark.parametrize("lacking", [{"complete": 0}, {"ordinary": 0}])
def test_a_newer_python_that_cannot_be_used_is_passed_over(install, machine, lacking):
    fake_python(machine / "bin", "3.13", "python3.13", **lacking)
    older = fake_python(machine / "bin", "3.11", "python3.11")
    assert install.find_python().path == older


def test_without_any_python_each_one_found_has_its_reason(install, machine):
    fake_python(machine / "bin", "3.12", "python3.12", complete=0)
    fake_python(machine / "bin", "3.11", "python3.11", ordinary=0)
    with pytest.raises(SystemExit) as ended:
        install.find_python()
    text = str(ended.value)
    assert f"{machine}/bin/python3.12: is Python 3.12 without venv or ensurepip" in text
    assert f"{machine}/bin/python3.11: is Python 3.11, but not the ordinary CPython" in text
    assert f"{machine}/running/python3: is Python 3.14" in text
    assert "PYTHON=/path/to/python3.13 make up" in text


@pytest.mark.parametrize(
    ("command", "code", "platform", "first"),
    [
        ("apt-get", "", "linux", "apt-get install --yes python3.12 python3.12-venv"),
        ("dnf", "", "linux", "dnf install --assumeyes python3.13"),
        ("brew", "", "darwin", "brew install python@3.13"),
        ("uv", "", "linux", "uv python install 3.13"),
    ],
)
def test_each_system_is_offered_its_command(install, machine, monkeypatch, command, code, platform, first):
    fake_command(machine / "bin", command, code)
    fake_command(machine / "bin", "apt-cache", '[ "$3" = python3.12-venv ]')
    monkeypatch.setattr(sys, "platform", platform)
    lines = install.remedies()
    assert lines[0].removeprefix("sudo ") == first
    assert lines[-1].startswith("uv python install 3.13")


def test_work_is_left_out_only_while_the_locks_are_the_same(install, monkeypatch, tmp_path):
    assert not install.is_current()
    make_usable(install)
    install.STAMP.write_text(install.stamp())
    assert install.is_current()
    changed = tmp_path / "all.txt"
    changed.write_text("django==0\n")
    monkeypatch.setattr(install, "LOCK", changed)
    assert not install.is_current()


def test_an_environment_that_was_moved_is_made_anew(install, tmp_path):
    assert install.fault() == "there is none yet"
    make_usable(install)
    assert install.fault() == ""
    install.VENV.rename(tmp_path / "moved")
    assert "was moved" in load(tmp_path / "moved").fault()
    (tmp_path / "moved" / "bin" / "python").unlink()
    assert "does not run" in load(tmp_path / "moved").fault()


@pytest.fixture
def commands(install, monkeypatch):
    """The commands that would be run, which are only listed."""
    listed: list[list[str]] = []

    def run(command: list[str], doing: str) -> None:
        listed.append(command)
        install.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(install, "run", run)
    monkeypatch.setattr("sys.argv", ["install.py", "--quiet"])
    return listed


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_an_environment_of_an_older_supported_python_is_kept(install, machine, commands, capsys, version):
    make_usable(install)
    (install.BINARIES / "python").unlink()
    fake_python(install.BINARIES, version, "python")
    fake_python(machine / "bin", "3.13", "python3.13")
    install.main()
    assert f"it keeps Python {version}" in capsys.readouterr().out
    assert not any("venv" in command for command in commands)


def test_an_environment_of_an_unsupported_python_is_made_anew(install, machine, commands, capsys):
    make_usable(install)
    (install.BINARIES / "python").unlink()
    fake_python(install.BINARIES, "3.10", "python")
    python = fake_python(machine / "bin", "3.13", "python3.13")
    install.main()
    out = capsys.readouterr().out
    assert "is made again: it has Python 3.10, which SPAI does not run on" in out
    assert "Python 3.13 is the newest of 3.13, 3.12, 3.11 that was found on this machine" in out
    assert commands[0] == [python, "-m", "venv", "--clear", str(install.VENV)]


def test_a_named_python_does_not_replace_the_one_of_the_environment(install, machine, commands, monkeypatch, capsys):
    make_usable(install)
    (install.BINARIES / "python").unlink()
    fake_python(install.BINARIES, "3.11", "python")
    install.STAMP.write_text(install.stamp())
    monkeypatch.setenv("PYTHON", fake_python(machine / "bin", "3.13"))
    install.main()
    assert "keeps Python 3.11; for another one delete it" in capsys.readouterr().out
    assert commands == []


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


def test_each_package_has_one_version_for_all_supported_pythons():
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        names = [line.split("==")[0] for line in path.read_text().splitlines() if line[:1].isalpha()]
        assert len(names) == len(set(names)), path.name


def test_the_script_and_the_project_name_the_same_pythons(install):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest, newest = install.SUPPORTED[-1], install.SUPPORTED[0]
    assert project["requires-python"] == f">=3.{oldest[1]},<3.{newest[1] + 1}"
    classifiers = [f"Programming Language :: Python :: {install.dotted(version)}" for version in install.SUPPORTED]
    assert set(classifiers) <= set(project["classifiers"])


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


def test_what_no_process_imports_is_not_compiled(install, tmp_path):
    # Below a folder whose own name is one of those that are left out.
    packages = tmp_path / "tests" / "site-packages"
    for name in ("a/x.py", "a/tests/t.py", "plotly/p.py", "b.py"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("x = 1\n")
    code = f"import sysconfig; sysconfig.get_path = lambda name: {str(packages)!r}\n{install.COMPILE}"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {path.name.split(".")[0] for path in packages.rglob("*.pyc")} == {"x", "b"}
