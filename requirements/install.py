"""Makes `.venv` equal to the lock, with nothing but a bare Python: `python3 requirements/install.py`.

Finds Python 3.11 (the one that PYTHON names, else the one that runs this, else one on the PATH), makes the environment
with it, installs uv at its pinned hash, and lets uv install requirements/all.txt. A second run with the same lock ends
at once; with `--quiet` it says nothing then.
"""

# ruff: noqa: S603  every command here is our own

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

WANTED = (3, 11)
BASE = Path(__file__).resolve().parents[1]
VENV = BASE / ".venv"
BINARIES = VENV / ("Scripts" if os.name == "nt" else "bin")
LOCK = BASE / "requirements" / "all.txt"
BOOTSTRAP = BASE / "requirements" / "bootstrap.txt"
STAMP = VENV / "installed.sha256"
PAUSE = 10
"""Seconds between two signs of life while packages are fetched."""
MEGABYTE = 1_000_000
QUESTION = "import sys; print(sys.version_info[0], sys.version_info[1])"
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Write a line with the seconds so far."""
    sys.stdout.write(f"{time.monotonic() - BEGAN:6.1f} s  {text}\n")
    sys.stdout.flush()


def give_up(text: str) -> None:
    """End with `text`, which says what to do."""
    sys.stdout.flush()
    sys.exit(f"\nThe environment could not be made: {text}")


def version(python: str) -> tuple[int, ...]:
    """Return the version of the interpreter `python`, empty when it does not run."""
    try:
        answer = subprocess.run([python, "-c", QUESTION], capture_output=True, text=True, timeout=20, check=True).stdout
        return tuple(int(number) for number in answer.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


def find_python() -> str:
    """Return a Python 3.11; end with what to do when there is none."""
    named = os.environ.get("PYTHON")
    candidates = [named] if named else [sys.executable, "python3.11", "python3", "python"]
    seen = []
    for candidate in candidates:
        path = shutil.which(candidate)
        found = version(path) if path else ()
        if path and found == WANTED:
            return path
        seen.append(f"{candidate} is {'.'.join(map(str, found)) if found else 'not there'}")
    give_up(
        f"SPAI needs Python 3.11 ({'; '.join(seen)}).\n"
        "Debian 12: apt-get install python3 python3-venv. Ubuntu: apt-get install python3.11 python3.11-venv,"
        " where your release has it. macOS: brew install python@3.11\n"
        "One that lies elsewhere: PYTHON=/path/to/python3.11 make up"
    )
    raise AssertionError


def stamp() -> str:
    """Return a hash of all that decides what the environment holds."""
    return hashlib.sha256(LOCK.read_bytes() + BOOTSTRAP.read_bytes()).hexdigest()


def is_usable() -> bool:
    """Whether the environment runs and lies where it was made: its scripts name their place."""
    pip = BINARIES / "pip"
    if not pip.is_file() or str(BINARIES) not in pip.read_text(errors="replace").split("\n", 1)[0]:
        return False
    return version(str(BINARIES / "python")) == WANTED


def is_current() -> bool:
    """Whether the environment is usable and was made from this lock."""
    return STAMP.is_file() and STAMP.read_text() == stamp() and is_usable()


def run(command: list[str], doing: str) -> None:
    """Run `command`, pass on what it says but for its list of packages, and give a sign of life while it is silent."""
    foreign = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1", UV_PYTHON_DOWNLOADS="never")
    lines: list[str] = []
    done = threading.Event()
    before = shutil.disk_usage(BASE).used

    def live() -> None:
        while not done.wait(PAUSE):
            grown = (shutil.disk_usage(BASE).used - before) / MEGABYTE
            say(f"still {doing}{f', about {grown:,.0f} MB on the disk so far' if grown > 1 else ''}")

    with subprocess.Popen(
        command,
        cwd=BASE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        threading.Thread(target=live, daemon=True).start()
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith(
                    ("Resolved", "Prepared", "Installed", "Uninstalled", "Audited", "Bytecode", "warning")
                ):
                    say(f"uv: {line.strip()}")
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        finally:
            done.set()
    if process.returncode:
        told = "\n".join(f"    {line}" for line in lines[-20:])
        give_up(f"{doing} failed. The last lines:\n{told}\nMend what they say and run the same command again.")


def make_venv(python: str) -> None:
    """Make a new, empty environment with pip in it."""
    able = subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0
    if not able:
        give_up(
            f"{python} comes without the modules venv and ensurepip.\n"
            "Debian, Ubuntu: apt-get install python3-venv   (or python3.11-venv, where python3 is another version)"
        )
    say(f"making the environment {VENV} with {python}")
    run([python, "-m", "venv", "--clear", str(VENV)], "making the environment")


def certificates() -> list[str]:
    """Return the option that has uv trust what this machine trusts; its own list serves machines that have none."""
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    there = bool(paths.cafile) or (folder is not None and folder.is_dir() and any(folder.iterdir()))
    return ["--system-certs"] if there else []


def main() -> None:
    """Bring the environment up to date."""
    if is_current():
        if "--quiet" not in sys.argv[1:]:
            say(f"the environment {VENV} is up to date")
        return
    if is_usable():
        say(f"bringing the environment {VENV} up to date with the lock")
    else:
        make_venv(find_python())
    STAMP.unlink(missing_ok=True)
    say("installing uv, which installs the rest")
    own = str(BINARIES / "python")
    run([own, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(BOOTSTRAP)], "installing uv")
    count = sum("==" in line for line in LOCK.read_text().splitlines())
    say(f"installing up to {count} packages from requirements/all.txt (about 1.8 GB on the disk)")
    uv = str(BINARIES / "uv")
    # Compiled once, here: Python may be told to keep no bytecode (PYTHONDONTWRITEBYTECODE, a folder that it may not
    # write to), and then every process of the stack and every stage of the pipeline compiles all that it imports.
    options = ["--compile-bytecode", *certificates(), "--require-hashes", "--python", own]
    run([uv, "pip", "sync", *options, str(LOCK)], "installing packages")
    STAMP.write_text(stamp())
    say("the environment is ready")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again, it goes on where it was.")
