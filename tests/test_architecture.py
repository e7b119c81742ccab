"""The architecture: which module may import which, what the pure core loads, what the documents must name."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = ("django", "celery", "channels", "rest_framework", "playwright", "mlflow")
PURE_CORE = (
    "apps.ml.forecasting.features",
    "apps.ml.forecasting.estimators",
    "apps.ml.forecasting.scoring",
    "apps.ml.forecasting.goals",
    "apps.ml.forecasting.season",
    "apps.scraping.sources",
    "apps.scraping.politeness",
    "apps.scraping.sandbox.world",
    "apps.scraping.sandbox.site",
    "apps.matches.aliases",
    "apps.matches.records",
    "apps.matches.standings",
    "apps.matches.trust",
)
BIN = Path(sys.executable).parent


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment at the root of the project."""
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_every_import_contract_is_kept():
    done = run(str(BIN / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_that_a_package_exports_exists():
    sources = [path for folder in ("apps", "spai") for path in (ROOT / folder).rglob("__init__.py")]
    packages = [".".join(path.parent.relative_to(ROOT).parts) for path in sources if "__all__" in path.read_text()]
    assert "apps.api.rest" in packages
    for package in map(import_module, packages):
        assert [name for name in package.__all__ if not hasattr(package, name)] == [], package.__name__


def test_ruff_finds_nothing():
    done = run(str(BIN / "ruff"), "check", ".")
    assert done.returncode == 0, done.stdout


def test_every_file_is_formatted():
    done = run(str(BIN / "ruff"), "format", "--check", ".")
    assert done.returncode == 0, done.stdout


def test_the_pure_core_loads_no_framework():
    code = f"""
import sys
from importlib import import_module
for module in {PURE_CORE!r}:
    import_module(module)
    loaded = [name for name in {FRAMEWORKS!r} if name in sys.modules]
    assert not loaded, (module, loaded)
"""
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


def test_a_web_process_loads_no_pipeline_library_at_start():
    code = (
        "import django; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns; "
        "import sys; heavy = ('mlflow', 'great_expectations', 'dvc', 'xgboost', 'numba', 'pandas'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = run(sys.executable, "-W", "ignore", "-c", code, SPAI_ROLE="web", DJANGO_SETTINGS_MODULE="spai.settings")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_environment_variable_is_documented():
    code = (ROOT / "spai" / "settings.py").read_text()
    names = set(re.findall(r'(?:env\.\w+|one_of|required|at_least)\("([A-Z_]+)"', code))
    assert len(names) > 15
    for document in (".env.example", "docs/reference/configuration.md"):
        text = (ROOT / document).read_text()
        assert not {name for name in names if name not in text}, document


def test_no_module_is_a_drawer():
    drawers = {"utils", "helpers", "common", "core", "managers", "constants", "interfaces", "misc"}
    found = [path for folder in ("apps", "spai") for path in (ROOT / folder).rglob("*.py") if path.stem in drawers]
    assert found == []


def test_no_two_public_classes_have_the_same_name():
    places = defaultdict(list)
    for package in ("apps", "spai"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.parent.name == "migrations":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    # Django looks for classes of these names.
    names = places.keys() - {"Meta", "Command"}
    assert {name: places[name] for name in names if len(places[name]) > 1} == {}


def test_the_environment_is_read_in_settings_and_nowhere_else():
    allowed = {"spai/settings.py"}
    found = []
    for folder in ("apps", "spai"):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            text = path.read_text()
            # Every entry point names the settings module.
            text = text.replace('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")', "")
            if name not in allowed and re.search(r"os\.environ|os\.getenv", text):
                found.append(name)
    # These pass an environment on: to processes that they start, and to MLflow, which reads nothing else.
    passed_on = {"spai/stack", "apps/ml/pipeline", "apps/ml/registry.py", "apps/ml/services/workspaces.py"}
    assert [name for name in found if not any(name.startswith(folder) for folder in passed_on)] == []


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["web", "push"])
def test_deployment_checks_pass_behind_https(role):
    test_database = connection.settings_dict
    address = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**test_database)
    done = run(
        sys.executable,
        "-W",
        "ignore",
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        DATABASE_URL=address,
        SPAI_ROLE=role,
        SPAI_WEB_URL="https://spai.example.org",
        SPAI_ADMIN_URL="https://admin.spai.example.org",
        SECRET_KEY="a-long-random-text-for-this-check-alone-0123456789-abcdefghij",
    )
    assert done.returncode == 0, done.stdout + done.stderr
