"""Makes `.venv` equal to the lock, with nothing but a bare Python: `python3 requirements/install.py`.

Any Python 3 may run this. The environment gets the newest supported Python of this machine (the one that PYTHON names,
else one on the PATH, of pyenv or of uv) and keeps it as long as that is supported. uv, installed at its pinned hash,
installs requirements/all.txt. A second run with the same lock ends at once; with `--quiet` it prints nothing then.
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

SUPPORTED = ((3, 13), (3, 12), (3, 11))
"""Versions of Python that the lock is made for, best first."""
BASE = Path(__file__).resolve().parents[1]
VENV = BASE / ".venv"
BINARIES = VENV / ("Scripts" if os.name == "nt" else "bin")
LOCK = BASE / "requirements" / "all.txt"
BOOTSTRAP = BASE / "requirements" / "bootstrap.txt"
STAMP = VENV / "installed.sha256"
PAUSE = 10
"""Seconds between two signs of life while packages are fetched."""
TIMEOUT = 120
"""Seconds after which an interpreter or apt counts as not working: a busy machine takes long, and then .venv stays."""
MEGABYTE = 1_000_000
# Left out are tests of packages, and 15,000 generated files for the charts of a report that a worker makes at times.
COMPILE = r"""
import compileall, re, sysconfig
left_out = re.compile(r"site-packages[/\\](.*[/\\])?(tests?|plotly)[/\\]")
compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0, rx=left_out)
"""
# Run by each candidate: its version, whether it is an ordinary CPython, whether it can make environments, and the
# interpreter beneath it: an environment that is made with the Python of another one must not depend on that one.
PROBE = """
import sys, sysconfig
try:
    import venv, ensurepip
    complete = 1
except ImportError:
    complete = 0
ordinary = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(sys.version_info[0], sys.version_info[1], int(ordinary), complete)
print(getattr(sys, "_base_executable", None) or sys.executable)
"""
BEGAN = time.monotonic()


class Python:
    """An interpreter of this machine.

    Parameters
    ----------
    version : tuple of int
        Major and minor number; empty when the interpreter does not run.
    path : str
        Where it lies; beneath a virtual environment, the one that the environment was made with.
    is_ordinary : bool
        Whether it is a CPython with its global lock, which is what packages are built for.
    is_complete : bool
        Whether it has the modules venv and ensurepip.
    """

    def __init__(self, version: tuple[int, ...], path: str, is_ordinary: bool, is_complete: bool) -> None:
        self.version = version
        self.path = path
        self.is_ordinary = is_ordinary
        self.is_complete = is_complete


def say(text: str) -> None:
    """Write a line with the seconds so far."""
    sys.stdout.write(f"{time.monotonic() - BEGAN:6.1f} s  {text}\n")
    sys.stdout.flush()


def give_up(text: str) -> None:
    """End with `text`, which names what to do."""
    sys.stdout.flush()
    sys.exit(f"\nThe environment could not be made: {text}")


def probe(python: str) -> Python:
    """Return what the interpreter `python` is; an empty version when it does not run."""
    try:
        command = [python, "-c", PROBE]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
        numbers, path = answer.splitlines()
        major, minor, is_ordinary, is_complete = (int(number) for number in numbers.split())
        return Python((major, minor), path, bool(is_ordinary), bool(is_complete))
    except (OSError, subprocess.SubprocessError, ValueError):
        return Python((), python, False, False)


def dotted(version: tuple[int, ...]) -> str:
    """Return 3.13 for (3, 13)."""
    return ".".join(map(str, version))


def candidates(version: tuple[int, ...]) -> list[str]:
    """Return where an interpreter of `version` may lie; what is there may be missing or of another version."""
    name = f"python{dotted(version)}"
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    shared = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    of_uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or shared / "uv" / "python")
    found = [shutil.which(place) for place in (name, sys.executable, "python3", "python")]
    # pyenv's commands on the PATH run only the versions that are switched on, uv's folder need not be on it.
    for folders in (pyenv.glob(f"{dotted(version)}.*"), of_uv.glob(f"cpython-{dotted(version)}*")):
        # 3.13.10 comes before 3.13.9.
        latest_first = sorted(folders, key=lambda folder: (len(folder.name), folder.name), reverse=True)
        found += [str(folder / "bin" / name) for folder in latest_first if (folder / "bin" / name).is_file()]
    return [path for path in found if path]


def find_python() -> Python:
    """Return the Python for a new environment; end with what to do when there is none."""
    wanted = f"{', '.join(dotted(version) for version in SUPPORTED[:-1])} or {dotted(SUPPORTED[-1])}"
    named = os.environ.get("PYTHON")
    seen: dict[str, Python] = {}
    for version in SUPPORTED:
        for path in [shutil.which(named) or named] if named else candidates(version):
            if path not in seen:
                seen[path] = probe(path)
            python = seen[path]
            if python.version == version and python.is_ordinary and python.is_complete:
                return python
    lines = [f"SPAI needs Python {wanted} with the modules venv and ensurepip. Found:"]
    lines += [f"    {path}: {shortcoming(python)}" for path, python in seen.items()]
    lines += ["    no other"] if not named else []
    lines += ["This brings one; then run the same command again:", *(f"    {line}" for line in remedies())]
    if not named:
        lines.append("One that lies elsewhere is named: PYTHON=/path/to/python3.13 make up")
    give_up("\n".join(lines))
    raise AssertionError


def shortcoming(python: Python) -> str:
    """Return why `python` is not taken."""
    if not python.version:
        return "is missing or does not run"
    if python.version not in SUPPORTED:
        return f"is Python {dotted(python.version)}"
    if not python.is_ordinary:
        return f"is Python {dotted(python.version)}, but not the ordinary CPython"
    return f"is Python {dotted(python.version)} without venv or ensurepip"


def remedies() -> list[str]:
    """Return the commands that bring a supported Python to this machine, the nearest first."""
    best = dotted(SUPPORTED[0])
    found = []
    if shutil.which("apt-get"):
        sudo = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
        offered = next((name for name in map(dotted, SUPPORTED) if apt_has(f"python{name}-venv")), None)
        if offered:
            found.append(f"{sudo}apt-get install --yes python{offered} python{offered}-venv")
        elif not any(Path("/var/lib/apt/lists").glob("*Packages*")):
            found.append(f"{sudo}apt-get update   (apt has no list of packages; then this names the one to install)")
    elif shutil.which("dnf"):
        found.append(f"sudo dnf install --assumeyes python{best}")
    elif sys.platform == "darwin":
        found.append(f"brew install python@{best}")
    found.append(f"uv python install {best}" + ("" if shutil.which("uv") else "   (any system; uv: docs.astral.sh/uv)"))
    return found


def apt_has(package: str) -> bool:
    """Whether apt can install `package`."""
    command = ["apt-cache", "show", "--no-all-versions", package]
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def stamp() -> str:
    """Return a hash of all that decides what the environment holds."""
    return hashlib.sha256(LOCK.read_bytes() + BOOTSTRAP.read_bytes()).hexdigest()


def own_python() -> str:
    """Return the interpreter of the environment, which need not be there."""
    return str(BINARIES / "python")


def fault() -> str:
    """Return why the environment must be made again; empty when it can be used."""
    if not VENV.exists():
        return "there is none yet"
    version = probe(own_python()).version
    if not version:
        return "its Python does not run any more"
    if version not in SUPPORTED:
        return f"it has Python {dotted(version)}, which SPAI does not run on"
    pip = BINARIES / "pip"
    # Scripts name the place that they were made for, in the first line or, where that is too long, in the second.
    if not pip.is_file() or str(BINARIES) not in "".join(pip.read_text(errors="replace").split("\n", 2)[:2]):
        return "it was moved here or is not whole"
    return ""


def is_current() -> bool:
    """Whether the environment can be used and was made from this lock."""
    return STAMP.is_file() and STAMP.read_text() == stamp() and not fault()


def run(command: list[str], doing: str) -> None:
    """Run `command`, print its summary lines, and a sign of life while it prints nothing."""
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
                if line.startswith(("Resolved", "Prepared", "Installed", "Uninstalled", "Audited", "warning")):
                    say(f"uv: {line.strip()}")
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        finally:
            done.set()
    if process.returncode:
        last = "\n".join(f"    {line}" for line in lines[-20:])
        give_up(f"{doing} failed. Its last lines:\n{last}\nMend what they name and run the same command again.")


def make_venv(python: Python) -> None:
    """Make a new, empty environment with pip in it."""
    say(f"making the environment {VENV} with Python {dotted(python.version)} ({python.path})")
    run([python.path, "-m", "venv", "--clear", str(VENV)], "making the environment")


def certificates() -> list[str]:
    """Return the option that has uv trust what this machine trusts; its own list serves machines that have none."""
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    there = bool(paths.cafile) or (folder is not None and folder.is_dir() and any(folder.iterdir()))
    return ["--system-certs"] if there else []


def main() -> None:
    """Bring the environment up to date."""
    named = os.environ.get("PYTHON")
    if named and not fault() and probe(named).version != probe(own_python()).version:
        version = dotted(probe(own_python()).version)
        say(f"the environment {VENV} keeps Python {version}; for another one delete it and run the same command again")
    if is_current():
        if "--quiet" not in sys.argv[1:]:
            say(f"the environment {VENV} is up to date")
        return
    reason = fault()
    if reason:
        python = find_python()
        if VENV.exists():
            say(f"the environment {VENV} is made again: {reason}")
        if not named:
            names = ", ".join(map(dotted, SUPPORTED))
            say(f"Python {dotted(python.version)} is the newest of {names} that was found on this machine")
        make_venv(python)
    else:
        version = dotted(probe(own_python()).version)
        say(f"bringing the environment {VENV} up to date with the lock; it keeps Python {version}")
    STAMP.unlink(missing_ok=True)
    say("installing uv, which installs the rest")
    own = own_python()
    run([own, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(BOOTSTRAP)], "installing uv")
    count = sum("==" in line for line in LOCK.read_text().splitlines())
    say(f"installing up to {count} packages from requirements/all.txt (about 1.8 GB on the disk)")
    uv = str(BINARIES / "uv")
    run([uv, "pip", "sync", *certificates(), "--require-hashes", "--python", own, str(LOCK)], "installing packages")
    # Compiled once, here: Python may be told to keep no bytecode (PYTHONDONTWRITEBYTECODE, a folder that it may not
    # write to), and then every process of the stack and every stage of the pipeline compiles all that it imports.
    say("compiling the packages to bytecode, once: this takes longest, a minute or more on two processors")
    run([own, "-c", COMPILE], "compiling the packages")
    STAMP.write_text(stamp())
    say("the environment is ready")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Run the same command again: it continues where it stopped.")
