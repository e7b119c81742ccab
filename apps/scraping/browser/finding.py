"""Which browser of this machine is used, and the command that installs one."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

VERSION_LIMIT: Final = 60.0
"""Seconds that a browser may take to print its version."""
UNPACK_LIMIT: Final = 60.0
"""Seconds that an npm package may take to unpack its browser."""

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_PLACES: Final = (
    "/usr/lib/chromium/chromium",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Chromium.app/Contents/MacOS/Chromium",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_NPM_PACKAGE: Final = Path("node_modules") / "@sparticuz" / "chromium"
_UNPACK: Final = "import('@sparticuz/chromium').then(m => m.default.executablePath()).then(p => console.log(p))"


class Origin(StrEnum):
    """Where a browser comes from."""

    REMOTE = "remote"
    GIVEN = "given"
    SYSTEM = "system"
    PLAYWRIGHT = "playwright"
    NPM = "npm"


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """A browser that can be used, and why it was chosen.

    `place` is the path of its program or the address of a remote one; the `version` of a remote one is not known.
    """

    origin: Origin
    place: str
    version: str
    why: str


class BrowserMissing(Exception):  # noqa: N818 -- used as a word by doctor and `make up`
    """No browser can be used; `command` installs one on this system."""

    def __init__(self, reason: str, command: str) -> None:
        super().__init__(f"{reason}. Get one: {command}")
        self.reason = reason
        self.command = command


def find(*, remote: str = "", given: str = "", folder: Path | None = None) -> FoundBrowser:
    """Return the browser to use, and why.

    A remote browser or a path that the operator has set is used or refused. Otherwise the first one is used that prints
    its version: the system's Chromium or Chrome (on the PATH, then at the usual places of Linux and macOS), the one
    that ``playwright install chromium`` downloaded, one from an npm package.

    Parameters
    ----------
    remote : str
        Address of a browser that accepts CDP (``ws://`` or ``wss://``, or ``http://`` of its debugging port), such as a
        browser grid.
    given : str
        Path of a program.
    folder : Path, optional
        Where npm packages are installed (in its ``node_modules``), the current one by default. `@sparticuz/chromium` is
        unpacked beside its archive, by the system's ``node``.

    Raises
    ------
    BrowserMissing
        When none can be used.
    """
    if remote:
        if not remote.startswith(("ws://", "wss://", "http://", "https://")):
            raise BrowserMissing(f"the remote browser has no ws or http address: {remote[:200]!r}", how())
        return FoundBrowser(Origin.REMOTE, remote, "", "the settings name a remote browser")
    if given:
        version = _version(given)
        if not version:
            raise BrowserMissing(f"{given} is set as the browser but does not print its version", how())
        return FoundBrowser(Origin.GIVEN, given, version, "the settings name it")
    broken = []
    for origin, place, why in _candidates(folder or Path.cwd()):
        if version := _version(place):
            return FoundBrowser(origin, place, version, why)
        broken.append(place)
    looked = f"{', '.join(_NAMES)}, Playwright's own, and {_NPM_PACKAGE}"
    wrong = f"; broken: {', '.join(broken)}" if broken else ""
    raise BrowserMissing(f"no browser on this machine: searched for {looked}{wrong}", how())


def _candidates(folder: Path) -> Iterator[tuple[Origin, str, str]]:
    """Yield the programs that exist, the preferred first; slower searches run only when the earlier ones gave none."""
    seen = set()
    for name in _NAMES:
        if (path := shutil.which(name)) and path not in seen:
            seen.add(path)
            yield Origin.SYSTEM, path, f"the system has {name}"
    for place in _PLACES:
        path = str(Path(place).expanduser())
        if path not in seen and os.access(path, os.X_OK):
            yield Origin.SYSTEM, path, "the system has it"
    if (own := _playwrights_own()) and Path(own).is_file():
        yield Origin.PLAYWRIGHT, own, "Playwright has downloaded it"
    if unpacked := _from_npm(folder):
        yield Origin.NPM, unpacked, f"{_NPM_PACKAGE} contains it"


def _playwrights_own() -> str:
    """Return where Playwright would put a browser; in its own thread, since this one may have an event loop."""
    paths: list[str] = []

    def find_path() -> None:
        try:
            with sync_playwright() as playwright:
                paths.append(playwright.chromium.executable_path)
        except (PlaywrightError, OSError):
            return

    thread = threading.Thread(target=find_path, name="playwright's own browser", daemon=True)
    thread.start()
    thread.join(VERSION_LIMIT)
    return paths[0] if paths else ""


def _from_npm(folder: Path) -> str:
    """Return the browser of the npm package, unpacked inside the package, since others may write to /tmp."""
    package = folder / _NPM_PACKAGE
    node = shutil.which("node")
    if node is None or not (package / "bin").is_dir():
        return ""
    environment = {"TMPDIR": str((package / "bin").resolve()), "PATH": os.defpath}
    return _last_line([node, "-e", _UNPACK], UNPACK_LIMIT, cwd=folder, env=environment)


def _version(path: str) -> str:
    return _last_line([path, "--version"], VERSION_LIMIT)[:100]


def _last_line(
    command: list[str], seconds: float, *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> str:
    """Return the last line that a command prints, ``""`` when it fails or exceeds its time."""
    try:
        done = subprocess.run(  # noqa: S603 -- a browser that the operator set or that is at a known place
            command, cwd=cwd, env=env, capture_output=True, timeout=seconds, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def how() -> str:
    """Return the command that installs a browser on this system."""
    system = platform.system()
    kind = ""
    if system == "Linux":
        try:
            kind = platform.freedesktop_os_release().get("ID", "")
        except OSError:
            kind = ""
    elif system == "Darwin" and shutil.which("brew"):
        return "brew install --cask chromium"
    admin = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
    commands = {
        "debian": "apt-get install --yes chromium",
        "fedora": "dnf install --assumeyes chromium",
        "alpine": "apk add chromium",
        "arch": "pacman -S --noconfirm chromium",
    }
    if kind in commands:
        return admin + commands[kind]
    dependencies = "--with-deps " if kind in ("ubuntu", "linuxmint", "pop") else ""
    return f"{sys.executable} -m playwright install {dependencies}chromium"
