"""Images, deployments and releases: `python3 delivery/release.py COMMAND`; any Python from 3.11 on, no package.

GitLab and GitHub call it, and so can you. With `--dry-run` it prints the commands that would change something outside
this machine and does not run them. The version is that of `pyproject.toml`; a release is a tag `v` + version.
"""

# ruff: noqa: S603, S607  the programs of the CI service, found on its PATH

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
IMAGES = ("spai-web", "spai-worker", "spai-pipeline", "spai-scraper")
"""Targets of the Dockerfile, and names of the images."""
VERSIONED = {
    "pyproject.toml": r'^version = "(.+)"',
    "clients/python/pyproject.toml": r'^version = "(.+)"',
    "helm/Chart.yaml": r'^(?:version|appVersion): "?([^"\n]+)"?',
}
"""Files that carry the version, and where: the first has it, the others follow."""


class ReleaseError(Exception):
    """What is wrong, and what to do."""


def version() -> str:
    """Return the version of this checkout."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def changes(of: str) -> str:
    """Return the section of the change log about the version `of`."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(of)} – \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md has no section “## {of} – YYYY-MM-DD”: rename “## Unreleased” to it.")
    return found[1].strip() + "\n"


def tag() -> str:
    """Return the tag that the CI service works on; elsewhere the one that this version would have."""
    return os.environ.get("CI_COMMIT_TAG") or os.environ.get("GITHUB_REF_NAME") or f"v{version()}"


def check(tag: str) -> None:
    """Refuse a tag that does not name the version, a version that differs between files, and one without changes."""
    if tag != f"v{version()}":
        raise ReleaseError(f"The tag is {tag}, pyproject.toml says {version()}: tag v{version()}, or set the version.")
    for name, pattern in VERSIONED.items():
        path = ROOT / name
        found = re.findall(pattern, path.read_text(encoding="utf-8"), flags=re.M) if path.exists() else []
        if set(found) - {version()}:
            raise ReleaseError(f"{name} says {', '.join(found)}: run `make version VERSION={version()}`.")
    changes(version())


def set_version(new: str) -> None:
    """Write the version `new` into every file that carries it."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", new):
        raise ReleaseError(f"{new!r} is no version; write it as 1.2.3.")
    for name, pattern in VERSIONED.items():
        path = ROOT / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(pattern, lambda found: found[0].replace(found[1], new), text, flags=re.M))


def run(*command: str, leaves: bool = True, dry: bool = False, password: str = "") -> None:
    """Run a command at the root of the project.

    Parameters
    ----------
    *command : str
        Program and arguments.
    leaves : bool
        Whether it changes something outside this machine; such a command is printed only when `dry` is set.
    dry : bool
        The option `--dry-run`.
    password : str
        Sent to its standard input, so that no list of processes shows it.
    """
    print("+", shlex.join(command), flush=True)  # noqa: T201
    if leaves and dry:
        return
    done = subprocess.run(command, cwd=ROOT, input=password or None, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"`{shlex.join(command)}` ended with {done.returncode}; its output above says why.")


def setting(name: str, dry: bool) -> str:
    """Return a variable of the CI service; in a dry run a placeholder where it is not set."""
    value = os.environ.get(name, "")
    if not value and not dry:
        raise ReleaseError(f"{name} is not set; docs/how-to/release.md lists the variables of the CI service.")
    return value or f"${name}"


def revision() -> str:
    """Return the commit of this checkout, which is the tag of its images until they are released."""
    return subprocess.run(
        ("git", "rev-parse", "--short=12", "HEAD"), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def log_in(registry: str, dry: bool, *program: str) -> None:
    """Log in to the registry of the images."""
    user, password = setting("REGISTRY_USER", dry), setting("REGISTRY_PASSWORD", dry)
    run(*program, registry.partition("/")[0], "--username", user, "--password-stdin", password=password, dry=dry)


def images(dry: bool) -> None:
    """Build the images and push them, with the commit as their tag."""
    registry, commit = setting("REGISTRY", dry), revision()
    log_in(registry, dry, "docker", "login")
    for name in IMAGES:
        label = f"{registry}/{name}:{commit}"
        revised = ("--build-arg", f"REVISION={commit}")
        run("docker", "build", "--target", name, *revised, "--tag", label, ".", dry=dry)
        run("docker", "push", label, dry=dry)


def deploy(environment: str, dry: bool) -> None:
    """Bring the images of this commit to an environment; what does not become ready is rolled back."""
    values = ("--values", setting("HELM_VALUES", dry))
    image = f"image.registry={setting('REGISTRY', dry)},image.tag={revision()}"
    place = ("--namespace", f"spai-{environment}", "--create-namespace")
    atomic = ("--atomic", "--timeout", "15m")
    run("helm", "upgrade", "--install", "spai", "helm", *place, *values, "--set", image, *atomic, dry=dry)
    run("curl", "--fail", "--silent", "--show-error", f"{setting('SITE_URL', dry)}/readyz", dry=dry)


def package(*, chart: bool = True, client: bool = True) -> list[str]:
    """Build the client and, where there is one, the chart into `dist/`; return their paths."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.iterdir():
        old.unlink()
    if client:
        uv, python = str(ROOT / ".venv" / "bin" / "uv"), str(ROOT / ".venv" / "bin" / "python")
        to = ("--out-dir", str(DIST), "--no-build-isolation", "--python", python)
        run(uv, "build", "--quiet", "clients/python", *to, leaves=False)
        (DIST / ".gitignore").unlink(missing_ok=True)
    if chart and (ROOT / "helm" / "Chart.yaml").exists():
        run("helm", "package", "helm", "--destination", str(DIST), leaves=False)
    return [str(path) for path in sorted(DIST.iterdir())]


def publish_images(dry: bool) -> None:
    """Give the images of this commit, the bytes that staging ran, the version as a second tag."""
    registry = setting("REGISTRY", dry)
    log_in(registry, dry, "docker", "login")
    for name in IMAGES:
        source, released = f"{registry}/{name}:{revision()}", f"{registry}/{name}:{version()}"
        run("docker", "buildx", "imagetools", "create", "--tag", released, source, dry=dry)


def publish_chart(dry: bool) -> None:
    """Build the chart and push it beside the images."""
    registry = setting("REGISTRY", dry)
    log_in(registry, dry, "helm", "registry", "login")
    for chart in package(client=False):
        run("helm", "push", chart, f"oci://{registry}/charts", dry=dry)


def publish_client(dry: bool) -> None:
    """Build the Python client and upload it to the index that UV_PUBLISH_URL names."""
    built = package(chart=False)
    setting("UV_PUBLISH_TOKEN", dry)
    run(str(ROOT / ".venv" / "bin" / "uv"), "publish", *built, dry=dry)


def publish_release(dry: bool) -> None:
    """Make the release on GitLab or GitHub, with the changes as its text."""
    DIST.mkdir(exist_ok=True)
    notes = DIST / "notes.md"
    notes.write_text(changes(version()), encoding="utf-8")
    program = "glab" if os.environ.get("GITLAB_CI") else "gh"
    run(program, "release", "create", f"v{version()}", "--notes-file", str(notes), dry=dry)


PARTS = {
    "images": publish_images,
    "chart": publish_chart,
    "client": publish_client,
    "release": publish_release,
}
"""What `publish` does, in order; a job of the CI service each."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 and a sentence when it cannot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would change something elsewhere, and do the rest"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("images", help="build the images and push them, with the commit as their tag")
    commands.add_parser("deploy", help="bring this commit to an environment").add_argument("environment")
    commands.add_parser("version", help="write a version into every file that carries it").add_argument("new")
    commands.add_parser("check", help="whether the tag may be released")
    publish = commands.add_parser("publish", help="release the tag, or one part of it")
    publish.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without one")
    given = parser.parse_args(arguments)
    try:
        match given.command:
            case "images":
                images(given.dry_run)
            case "deploy":
                deploy(given.environment, given.dry_run)
            case "version":
                set_version(given.new)
            case "check":
                check(tag())
            case "publish":
                check(tag())
                for part in given.parts or PARTS:
                    PARTS[part](given.dry_run)
    except ReleaseError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
