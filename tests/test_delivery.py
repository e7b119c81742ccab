"""The files for GitLab, GitHub and Renovate: valid, equal in what they do, and calling only what is there; releases."""

from __future__ import annotations

import importlib.util
import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
GITHUB = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
NO_JOBS = {"stages", "variables", "default", "workflow"}
OF_GITLAB = {name: job for name, job in GITLAB.items() if name not in NO_JOBS and not name.startswith(".")}
OF_GITHUB = GITHUB["jobs"]
PREPARES = ("install -m 600", "apt-get ")
"""GitHub's own steps: GitLab has variables that are files, and `before_script`."""
FILES = {
    ".gitlab-ci.yml": "gitlab-ci",
    ".github/workflows/ci.yml": "github-workflows",
    "renovate.json": "renovate",
}
JOBS = (
    *("lint", "type", "test", "benchmarks", "runs", "e2e", "faults", "docs", "build", "scan", "chart"),
    *("staging", "production", "release-images", "release-chart", "release-client", "release"),
    *("train-smoke", "each-benchmark", "ha"),
)


def commands_of(job: dict) -> list[str]:
    """The commands of a job of either file."""
    steps = [step["run"] for step in job.get("steps", []) if "run" in step]
    return job.get("script") or [step for step in steps if not step.startswith(PREPARES)]


@pytest.mark.parametrize(("name", "schema"), FILES.items())
def test_the_file_has_the_form_that_its_reader_documents(name, schema):
    schemas = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    rules = json.loads((schemas / f"{schema}.json").read_text(encoding="utf-8"))
    # YAML reads a bare "on" as true.
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8").replace("\non:", '\n"on":'))
    problems = jsonschema.validators.validator_for(rules)(rules).iter_errors(content)
    assert [f"{error.json_path}: {error.message}" for error in problems] == []


def test_both_files_have_the_same_jobs_in_the_same_order():
    assert tuple(OF_GITLAB) == JOBS
    assert tuple(OF_GITHUB) == JOBS


@pytest.mark.parametrize("name", JOBS)
def test_a_job_does_the_same_after_the_same_jobs_on_both(name):
    assert commands_of(OF_GITLAB[name]) == commands_of(OF_GITHUB[name]) != []
    assert OF_GITLAB[name].get("needs", []) == OF_GITHUB[name].get("needs", [])


def test_stages_of_gitlab_follow_what_the_jobs_need():
    places = {name: GITLAB["stages"].index(job["stage"]) for name, job in OF_GITLAB.items()}
    assert [
        (name, needed)
        for name in places
        for needed in OF_GITLAB[name].get("needs", [])
        if places[needed] > places[name]
    ] == []


def test_the_tests_run_on_every_python_that_the_project_supports():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    supported = re.findall(r"Python :: (3\.\d+)", text)
    assert OF_GITLAB["test"]["parallel"]["matrix"] == [{"VERSION": supported}]
    assert OF_GITHUB["test"]["strategy"]["matrix"] == {"version": supported}


def test_every_command_is_a_target_of_make():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    asked = {command.split()[1] for job in OF_GITLAB.values() for command in commands_of(job)}
    assert all(command.startswith("make ") for job in OF_GITLAB.values() for command in commands_of(job))
    assert asked - targets == set()


def test_production_waits_for_a_person_and_the_nightly_job_for_the_night():
    assert [rule["when"] for rule in OF_GITLAB["production"]["rules"]] == ["manual"]
    assert OF_GITHUB["production"]["environment"] == "production"
    assert "schedule" in OF_GITHUB["train-smoke"]["if"]
    assert "schedule" in OF_GITLAB["train-smoke"]["rules"][0]["if"]


def test_actions_of_others_are_pinned_to_a_commit():
    used = {step["uses"] for job in OF_GITHUB.values() for step in job["steps"] if "uses" in step}
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []


# ── Releases ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def release(monkeypatch, tmp_path):
    """The module `delivery/release.py` on a copy of the files that carry the version."""
    spec = importlib.util.spec_from_file_location("release", ROOT / "delivery" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("CI_COMMIT_TAG", "GITHUB_REF_NAME", "GITLAB_CI", "REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    for name in (*module.VERSIONED, "CHANGELOG.md"):
        if (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "DIST", tmp_path / "dist")
    monkeypatch.setattr(module, "revision", lambda: "0123456789ab")
    return module


def add_changes(release, version: str) -> None:
    path = release.ROOT / "CHANGELOG.md"
    path.write_text(f"# Changelog\n\n## {version} – 2026-12-01\n- Readers: more.\n\n## 0.0.1 – 2026-01-01\n- Old.\n")


def test_every_file_carries_the_version_of_the_project(release):
    for name, pattern in release.VERSIONED.items():
        if (ROOT / name).exists():
            found = re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"), flags=re.M)
            assert set(found) == {release.version()}, name


def test_a_version_is_written_into_every_file(release):
    assert release.main(["version", "7.8.9"]) == 0
    add_changes(release, "7.8.9")
    assert release.version() == "7.8.9"
    assert 'version = "7.8.9"' in (release.ROOT / "clients/python/pyproject.toml").read_text()
    assert release.main(["check"]) == 0


@pytest.mark.parametrize(
    ("tag", "said"), [("v9.9.9", "pyproject.toml says"), ("main", "pyproject.toml says"), ("", "CHANGELOG.md has no")]
)
def test_a_tag_without_its_version_or_its_changes_is_refused(release, monkeypatch, capsys, tag, said):
    monkeypatch.setenv("CI_COMMIT_TAG", tag)
    assert release.main(["check"]) == 1
    assert said in capsys.readouterr().err


def test_a_client_of_another_version_is_refused(release, capsys):
    add_changes(release, release.version())
    path = release.ROOT / "clients/python/pyproject.toml"
    path.write_text(path.read_text().replace(release.version(), "3.2.1"))
    assert release.main(["check"]) == 1
    assert "make version VERSION=" in capsys.readouterr().err


def test_the_notes_of_a_release_are_its_section_of_the_change_log(release):
    add_changes(release, "0.2.0")
    assert release.changes("0.2.0") == "- Readers: more.\n"


def test_a_dry_run_prints_what_would_leave_this_machine(release, capsys, monkeypatch):
    monkeypatch.setenv("REGISTRY", "registry.example.org/spai")
    add_changes(release, release.version())
    assert release.main(["--dry-run", "images"]) == 0
    assert release.main(["--dry-run", "publish", "images", "release"]) == 0
    said = capsys.readouterr().out
    for name in release.IMAGES:
        assert f"docker build --target {name} --build-arg REVISION=0123456789ab" in said
        assert f"docker push registry.example.org/spai/{name}:0123456789ab" in said
        assert f"--tag registry.example.org/spai/{name}:{release.version()}" in said
    assert f"gh release create v{release.version()} --notes-file" in said
    assert "docker login registry.example.org --username '$REGISTRY_USER' --password-stdin" in said


def test_a_missing_variable_of_the_ci_service_is_named(release, capsys):
    assert release.main(["deploy", "staging"]) == 1
    assert "HELM_VALUES is not set" in capsys.readouterr().err


def test_the_images_are_targets_of_the_dockerfile(release):
    dockerfile = ROOT / "Dockerfile"
    if not dockerfile.exists():
        pytest.skip("no Dockerfile")
    assert set(release.IMAGES) <= set(re.findall(r"^FROM .* AS (\S+)", dockerfile.read_text(), flags=re.M | re.I))


@pytest.mark.slow
def test_the_client_is_built_as_wheel_and_source(release, monkeypatch):
    monkeypatch.setattr(release, "ROOT", ROOT)
    built = [Path(path).name for path in release.package(chart=False)]
    version = release.version()
    assert built == [f"spai_client-{version}-py3-none-any.whl", f"spai_client-{version}.tar.gz"]
