"""What settings and code promise about passwords, sessions, pages and loaded files; docs/asvs.csv names these tests."""

from __future__ import annotations

import ast
import csv
import json
import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import redis
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.ml.admin.drift import PAGE_POLICY
from apps.ml.admin.version_pages import REPORT_POLICY
from spai import roles
from tests.documentation import node_ids

ROOT = Path(__file__).resolve().parents[2]
LONG = "ä 🔑 correct horse; battery 'staple\" " * 4
PASSWORD = "a-long-right-one"


@pytest.fixture
def operator(admin_process, db) -> User:
    return User.objects.create_superuser("ann", password=PASSWORD)


def logged_in(password: str = PASSWORD) -> Client:
    client = Client()
    form = {"username": "ann", "password": password}
    assert client.post(reverse("admin:login"), form).status_code == 302
    return client


def key_of_session(client: Client, settings) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


# ── Passwords ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("password", ["elevenchars", "password1234", "administrator", "ann-miller-long"])
def test_a_password_has_twelve_characters_and_is_none_that_everybody_tries(db, password):
    with pytest.raises(ValidationError):
        validate_password(password, User(username="ann-miller-long"))
    with pytest.raises(ValidationError):
        roles.create_user(name="ann-miller-long", role="viewer", password=password, by="tests", now=timezone.now())
    assert not User.objects.exists()


def test_a_password_of_128_characters_is_taken_whole(db):
    assert len(LONG) >= 128
    validate_password(LONG)
    user = User.objects.create_user("ann", password=LONG)
    assert user.check_password(LONG)
    assert not user.check_password(LONG[:-1])
    validate_password("onlysmallletters")


def test_passwords_are_hashed_slowly(settings):
    # The first one is a quick one of these tests.
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    stored = make_password(PASSWORD)
    hasher = identify_hasher(stored)
    assert hasher.algorithm == "pbkdf2_sha256"
    assert hasher.decode(stored)["iterations"] >= 600_000
    assert len(hasher.decode(stored)["salt"]) >= 16


# ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_sessions_are_cookies_for_a_working_day_and_this_host_alone(operator, settings):
    cookie = logged_in().cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert cookie["max-age"] == 12 * 3600
    code = (
        "import json; from spai import settings as s; print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME,"
        " s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE]))"
    )
    https = {"SPAI_WEB_URL": "https://spai.example.org", "SPAI_ADMIN_URL": "https://admin.spai.example.org"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | https, capture_output=True, text=True, check=True
    )
    session, csrf, *are_secure = json.loads(done.stdout)
    assert session.startswith("__Host-")
    assert csrf.startswith("__Host-")
    assert are_secure == [True, True]


def test_a_login_changes_the_session(operator, settings):
    client = Client()
    client.get(reverse("admin:login"))
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = session.session_key
    client.post(reverse("admin:login"), {"username": "ann", "password": PASSWORD})
    assert key_of_session(client, settings) != planted
    assert len(key_of_session(client, settings)) >= 32


def test_a_logout_ends_the_session(operator, settings):
    client, stolen = logged_in(), Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = key_of_session(client, settings)
    assert stolen.get(reverse("admin:index")).status_code == 200
    client.post(reverse("admin:logout"))
    assert stolen.get(reverse("admin:index")).status_code == 302


def test_a_new_password_ends_all_other_sessions(operator):
    one, other = logged_in(), logged_in()
    form = {"old_password": PASSWORD, "new_password1": "another-long-one", "new_password2": "another-long-one"}
    assert one.post(reverse("admin:password_change"), form).status_code == 302
    assert one.get(reverse("admin:index")).status_code == 200
    assert other.get(reverse("admin:index")).status_code == 302


def test_a_form_without_its_token_is_refused(operator):
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(reverse("admin:auth_group_add"), {"name": "mine"}).status_code == 403


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_process_sends_a_policy_that_names_no_other_host(operator, client, settings):
    policy = client.get(reverse("admin:login"))["Content-Security-Policy"]
    own = {settings.SPAI_PUSH_URL, settings.SPAI_PUSH_WS_URL}
    assert set(re.findall(r"\w+://[^\s;]+", policy)) <= own
    for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "*" not in policy
    # The admin alone has exceptions; this process runs with the settings of the pages.
    assert "unsafe" not in policy


def test_no_answer_names_its_server(operator, client):
    answer = client.get(reverse("admin:login"))
    assert not {"Server", "X-Powered-By"} & set(answer.headers)
    assert not re.search(r"\d+\.\d+\.\d+", str(dict(answer.headers)).replace("127.0.0.1", ""))
    assert answer["Content-Type"] == "text/html; charset=utf-8"


def test_stored_pages_are_shown_as_text_or_in_a_sandbox(operator, client):
    for policy in (REPORT_POLICY, PAGE_POLICY):
        assert "sandbox" in policy
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy


# ── What is loaded ───────────────────────────────────────────────────────────────────────────────────────────────────
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "torch"}
# Between a process and those that it started itself, nothing is read from a file.
SAFE_NAMES = {
    "joblib": {"Parallel", "cpu_count", "delayed", "parallel_config"},
    "joblib.externals.loky": {"get_reusable_executor"},
}
UNSAFE_CALLS = {"eval", "exec", "read_pickle", "to_pickle", "unsafe_load", "full_load"}


def unsafe_loads(code: str) -> list[str]:
    """Return what of a module could run code that a file contains."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = {alias.name for alias in node.names}
            names = imported if isinstance(node, ast.Import) else {node.module or ""}
            if isinstance(node, ast.ImportFrom) and imported <= SAFE_NAMES.get(node.module or "", set()):
                continue
            found += [name for name in names if name.split(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            # A method of that name compiles nothing.
            is_plain = name in ("eval", "exec") or name.rpartition(".")[2] in UNSAFE_CALLS - {"eval", "exec"}
            is_array = name in ("np.load", "numpy.load") or name.endswith("read_array")
            if is_plain or (is_array and options.get("allow_pickle") != "False"):
                found.append(ast.unparse(node))
    return found


def test_no_module_loads_a_pickle():
    modules = [path for folder in ("apps", "spai", "clients") for path in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 300
    found = {str(path.relative_to(ROOT)): unsafe_loads(path.read_text()) for path in modules}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "from joblib import Parallel, load",
        "import joblib",
        "from joblib.externals import cloudpickle",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_an_unsafe_load_would_be_noticed(code):
    assert unsafe_loads(code)


class Planted:
    """A value whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_cache_is_not_loaded(settings, tmp_path):
    cache.set("forecast", {"home": 0.5})
    assert cache.get("forecast") == {"home": 0.5}
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.set(cache.make_key("forecast"), pickle.dumps(Planted(tmp_path / "run")))
        with pytest.raises(ValueError, match="Expecting value"):
            cache.get("forecast")
        server.delete(cache.make_key("forecast"))
    assert not (tmp_path / "run").exists()


# ── The table of requirements ────────────────────────────────────────────────────────────────────────────────────────
def requirements() -> list[dict[str, str]]:
    with (ROOT / "docs" / "asvs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_requirement_of_the_standard_names_its_test_or_says_why_not():
    rows = requirements()
    assert [name for name, count in Counter(row["requirement"] for row in rows).items() if count > 1] == []
    chapters = Counter(int(row["requirement"].split(".")[0]) for row in rows)
    assert set(chapters) == {*range(1, 15)}
    assert {row["state"] for row in rows} == {"met", "partly", "open", "n/a"}
    assert [row["requirement"] for row in rows if row["state"] != "met" and not row["note"]] == []
    assert [row["requirement"] for row in rows if not row["test"] and not row["note"]] == []


def test_every_test_and_document_that_the_table_names_exists():
    named = {row["test"] for row in requirements()} - {""}
    assert named - set().union(*map(node_ids, {test.partition("::")[0] for test in named})) == set()
    documents = {path for row in requirements() for path in re.findall(r"docs/[\w./-]+\.md", row["note"])}
    assert [path for path in documents if not (ROOT / path).exists()] == []


def test_the_document_counts_the_states_of_the_table():
    text = (ROOT / "docs" / "asvs.md").read_text()
    assert {state: int(n) for state, n in re.findall(r"^\| `([a-z/]+)` \|.*\| (\d+) \|$", text, re.M)} == Counter(
        row["state"] for row in requirements()
    )
