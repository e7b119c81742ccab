"""`make audit`: known weaknesses of the locked packages, the list of all of them (SBOM), secrets in the history.

`python requirements/audit.py [advisories] [sbom] [secrets] [--renew]` runs some or all; `--renew` accepts what the scan
for secrets finds now. `detect-secrets audit requirements/secrets.json` shows each entry of that file.
"""

# ruff: noqa: S603, T201  every command here is our own, and this module is one

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

BASE = Path(__file__).resolve().parents[1]
BINARIES = Path(sys.executable).parent
LOCKS = ("all", "web", "worker", "pipeline", "bootstrap")
SBOM = BASE / "var" / "sbom"
"""One CycloneDX document for each lock."""
BASELINE = BASE / "requirements" / "secrets.json"
"""What the scan found and a person has looked at: passwords of examples and tests."""
UNREACHABLE = ("ConnectionError", "Max retries", "SSLError", "ReadTimeout", "ConnectTimeout", "503", "Forbidden")
"""How pip-audit names a service of advisories that does not answer."""
LEFT_OUT = ("Base64HighEntropyString", "HexHighEntropyString")
"""Detectors that take each of the thousands of checksums in locks and recorded expectations for a secret."""


def advisories() -> str:
    """Return what is wrong with the locked packages, by the advisories of PyPI; empty when nothing is known."""
    # Hashes pin each file, so that nothing is resolved or downloaded.
    command = [str(BINARIES / "pip-audit"), "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    for name in LOCKS:
        command += ["--requirement", str(BASE / "requirements" / f"{name}.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    if not done.stdout.strip() and any(mark in done.stderr for mark in UNREACHABLE):
        print(f"advisories: skipped, the service does not answer: {done.stderr.strip().splitlines()[-1][:200]}")
        return ""
    return done.stdout + done.stderr


def sbom() -> str:
    """Write the list of packages of each lock; return why that failed."""
    SBOM.mkdir(parents=True, exist_ok=True)
    for name in LOCKS:
        command = [str(BINARIES / "cyclonedx-py"), "requirements", str(BASE / "requirements" / f"{name}.txt")]
        command += ["--output-reproducible", "--output-file", str(SBOM / f"{name}.cdx.json")]
        if name == "all":
            command += ["--pyproject", str(BASE / "pyproject.toml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
    print(f"sbom: {SBOM.relative_to(BASE)}/ has {len(LOCKS)} documents")
    return ""


def added_lines(patches: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield file and text of every line that some patches add."""
    file, is_header = "", False
    for line in patches:
        if line.startswith("diff --git "):
            is_header = True
        elif is_header and line.startswith("+++ "):
            file, is_header = line[4:].rstrip("\n").removeprefix("b/"), False
        elif line.startswith("+") and not is_header:
            yield file, line[1:]


def secrets(*, renew: bool = False) -> str:
    """Return the secrets in all lines that the history ever added and that the baseline does not have."""
    from detect_secrets.core import baseline
    from detect_secrets.core.scan import scan_line
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.settings import default_settings

    with default_settings() as settings:
        settings.disable_plugins(*LEFT_OUT)
        found, places = SecretsCollection(), {}
        history = ["git", "log", "--patch", "--unified=0", "--no-color", "--no-ext-diff", "--format=", "HEAD"]
        with subprocess.Popen(history, cwd=BASE, stdout=subprocess.PIPE, text=True, errors="replace") as git:
            assert git.stdout is not None
            for file, line in added_lines(git.stdout):
                # Its hashes look like secrets.
                for secret in scan_line(line) if file != "requirements/secrets.json" else ():
                    secret.filename = file
                    found[file].add(secret)
                    places[file, secret.secret_hash] = line.strip()[:100]
        if git.returncode:
            return "git log failed: the history is needed, not a shallow copy."
        if renew:
            content = baseline.format_for_output(found)
            # Its time would differ each time.
            content.pop("generated_at")
            BASELINE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    known = {(file, each["hashed_secret"]) for file, all_of in read_baseline().items() for each in all_of}
    unknown = [f"{file}: {line}" for (file, sha1), line in places.items() if (file, sha1) not in known]
    return "\n".join(unknown)


def read_baseline() -> dict[str, list[dict[str, str]]]:
    """Return the known findings of each file."""
    found: dict[str, list[dict[str, str]]] = json.loads(BASELINE.read_text())["results"]
    return found


def main(arguments: list[str]) -> int:
    """Run the audits that are named, or all; return 1 when one has found something."""
    renew = "--renew" in arguments
    audits: dict[str, Callable[[], str]] = {
        "advisories": advisories,
        "sbom": sbom,
        "secrets": lambda: secrets(renew=renew),
    }
    names = [name for name in arguments if name != "--renew"] or list(audits)
    has_failed = False
    for name in names:
        if problem := audits[name]():
            has_failed = True
            print(f"{name}:\n{problem}", file=sys.stderr)
        else:
            print(f"{name}: nothing to report")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
