"""Who may call what: every route of every process for every kind of caller, compared with `permissions.csv`.

`pytest tests/web/test_permissions.py --renew` writes the table again; read each row that differs.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from channels.routing import URLRouter
from django.contrib import admin
from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.urls import URLResolver, clear_url_caches, resolve
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from apps.api import services
from apps.api.models import ApiKeyScope, Upload
from apps.api.push import EventSocket, EventStream, LiveFeed
from apps.api.push.connections import OpenConnections
from apps.api.services import known_keys, webhooks
from apps.api.urls import EVENT_STREAM, websocket_urlpatterns
from apps.ml import serving
from spai import home, roles, urls

TABLE = Path(__file__).with_name("permissions.csv")
BACKEND = "django.contrib.auth.backends.ModelBackend"
LOGIN = "login"
"""In the table: sent to the login page."""
NOTHING = 2_000_000_001
"""An id that no row has."""
REFUSED = {LOGIN, "401", "403"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

USERS = ("anonymous", "user", "staff", "viewer", "operator", "superuser")
"""`user` may not enter the admin, and `staff` may, without a role."""
KEYS = tuple(f"key:{scope}" for scope in ApiKeyScope)
"""A key with one scope, to which what the table calls {owned} belongs."""
OTHER = "other key"
"""A key with every scope, to which nothing belongs."""
CALLERS = (*USERS, *KEYS, OTHER)


@dataclass(frozen=True)
class Route:
    """An address of a process, and the methods that it declares."""

    process: str
    path: str
    methods: tuple[str, ...]


def walk(patterns: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every address below some patterns, with its view."""
    for pattern in patterns:
        text = prefix + str(pattern.pattern).removeprefix("^").replace("\\Z", "$")
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, text)
        else:
            yield text, pattern.callback


def is_of_admin(process: str, path: str) -> bool:
    """Whether an address is one of the admin, where keys count for nothing."""
    return process == "admin" and path.startswith("/admin/")


def methods_of(process: str, view: Any) -> tuple[str, ...]:
    """Return the methods of a view; one of the admin that names none takes GET and POST."""
    declared = getattr(view, "actions", None) or getattr(view, "methods", None)
    if declared is None and (found := getattr(view, "cls", None)):
        declared = [name for name in found.http_method_names if hasattr(found, name)]
    if declared is None:
        return ("GET", "POST") if process == "admin" else ("GET",)
    return tuple(sorted({name.upper() for name in declared} - {"HEAD", "OPTIONS"}))


def patterns_of(process: str) -> list[Any]:
    """Return the addresses of a process, those of accounts included, which an operator has to allow."""
    return [*urls.probe_urls, *(urls.account_urls if process == "web" else []), *urls.role_urls[process]]


def http_routes() -> list[Route]:
    """Return the routes of all processes."""
    found = []
    for process in urls.role_urls:
        for text, view in walk(patterns_of(process)):
            path = "/" + re.sub(r"<\w+:", "<", simplify_regex(text)).removeprefix("/")
            found.append(Route(process, path, methods_of(process, view)))
    return found


class Room:
    """The callers, what belongs to the keys among them, and the process that they call."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.factory = RequestFactory()
        now = timezone.now()
        roles.update_roles()
        self.clients: dict[str, Client] = {"anonymous": Client(raise_request_exception=False)}
        self.users: dict[str, User | AnonymousUser] = {"anonymous": AnonymousUser()}
        for name in USERS[1:]:
            user = User.objects.create_user(name, is_staff=name != "user", is_superuser=name == "superuser")
            if name in roles.ROLES:
                user.groups.add(Group.objects.get(name=name))
            self.clients[name] = Client(raise_request_exception=False)
            self.clients[name].force_login(user, backend=BACKEND)
            # Its permissions are read once.
            self.users[name] = user
        self.tokens: dict[str, str] = {}
        rows = {}
        for name, scopes in (*((f"key:{scope}", [scope]) for scope in ApiKeyScope), (OTHER, list(ApiKeyScope))):
            writes = {"source": name[-5:], "worlds": ["real"]} if ApiKeyScope.INGEST in scopes else {}
            made = services.create_key(name=name, scopes=scopes, created_by="tests", now=now, **writes)
            self.tokens[name], rows[name] = made.token, made.row
            headers = {"Authorization": f"Bearer {made.token}"}
            self.clients[name] = Client(raise_request_exception=False, headers=headers)
        owner = rows["key:jobs"]
        job = services.submit_job(
            api_key=owner, kind="what_if_set", parameters={"world": "real", "items": []}, now=now
        ).job
        hook = services.create_webhook(api_key=owner, url="https://example.org/", topics=["match.changed"], now=now)
        delivery = services.ping(webhook=hook, now=now)
        upload = UUID(int=7)
        Upload.objects.create(api_key=rows["key:ingest"], uuid=upload, created_at=now, updated_at=now)
        self.values = {
            "job_id": job.uuid,
            "webhook_id": hook.uuid,
            "delivery_id": delivery.pk,
            "upload": upload,
            "day": "2026-01-31",
            "world": "real",
            "content_type_id": "1",
            "app_label": "matches",
            "rest": "",
            "url": "nothing/",
        }

    @contextmanager
    def process(self, name: str) -> Iterator[None]:
        """Be the process of a role."""
        module: Any = ModuleType(f"urls_of_{name}")
        module.urlpatterns = patterns_of(name)
        for handler in ("handler400", "handler403", "handler404", "handler500"):
            setattr(module, handler, getattr(urls, handler))
        self.settings.ROOT_URLCONF, self.settings.SPAI_ROLE = module, name
        self.settings.LOGIN_URL = "/admin/login/"
        clear_url_caches()
        yield

    def status(self, caller: str, method: str, path: str) -> str:
        """Return how a request is answered; what it changes is undone."""
        address = re.sub(r"<(\w+)>", lambda found: str(self.values.get(found[1], NOTHING)), path)
        if is_of_admin(self.settings.SPAI_ROLE, path):
            call = partial(self._view_of_admin, self.users[caller])
        else:
            call = self.clients[caller].generic
        if method == "GET":
            response = call(method, address)
        else:
            with transaction.atomic(), self.same_cookies(caller):
                response = call(method, address)
                transaction.set_rollback(True)
        if response.status_code == 302 and "/login/?" in response["Location"]:
            return LOGIN
        return str(response.status_code)

    @contextmanager
    def same_cookies(self, caller: str) -> Iterator[None]:
        """Let the caller have the cookies of before afterwards, also when they signed out."""
        client = self.clients[caller]
        before = {name: morsel.value for name, morsel in client.cookies.items()}
        yield
        client.cookies = SimpleCookie(before)

    def _view_of_admin(self, user: User | AnonymousUser, method: str, address: str) -> Any:
        """Call a view of the admin without the middlewares, which can only refuse more."""
        request: Any = self.factory.generic(method, address)
        request.user = user
        request.session, request.htmx, request._dont_enforce_csrf_checks = SessionStore(), HtmxDetails(request), True
        request._messages = CookieStorage(request)
        found = resolve(address, self.settings.ROOT_URLCONF)
        try:
            return found.func(request, *found.args, **found.kwargs)
        except PermissionDenied:
            return HttpResponse(status=403)
        except Http404:
            return HttpResponse(status=404)


@pytest.fixture
def room(db, settings, monkeypatch):
    monkeypatch.setattr(TemplateResponse, "render", lambda self: HttpResponse(status=self.status_code))
    monkeypatch.setattr(admin.site, "each_context", lambda request: {})
    monkeypatch.setattr(home, "network_checks", list)
    monkeypatch.setattr(serving, "is_warm", lambda: True)
    # Push looks a key up in a thread that does not see the transaction of the test: those that were used stay known.
    monkeypatch.setattr(known_keys, "UNWATCHED_SECONDS", 3600.0)
    monkeypatch.setattr(webhooks, "check_url", lambda url: None)
    yield Room(settings)
    clear_url_caches()


def push_status(room: Room, caller: str, path: str) -> str:
    """Return how push answers a connection: 101 for a websocket that is accepted, 200 for a stream."""
    is_stream = path == EVENT_STREAM
    feed, admitted = LiveFeed(), OpenConnections(most=99, most_of_address=99)
    headers = [(b"authorization", f"Bearer {room.tokens[caller]}".encode())] if caller in room.tokens else []
    address = path.replace("<match_id>", "1")
    scope: dict[str, Any] = {"path": address, "headers": headers, "query_string": b"topic=x", "client": ("10.0.0.1", 1)}
    scope |= {"type": "http", "method": "GET"} if is_stream else {"type": "websocket", "extensions": {}}
    scope.setdefault("extensions", {})["websocket.http.response"] = {}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request" if is_stream else "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    stream: Any = EventStream(feed, admitted, [])
    application = stream if is_stream else URLRouter(websocket_urlpatterns(EventSocket(feed, admitted)))
    async_to_sync(application)(scope, receive, send)
    return "101" if sent[0]["type"] == "websocket.accept" else str(int(sent[0]["status"]))


def push_paths() -> list[str]:
    patterns = websocket_urlpatterns(print)
    assert str(patterns[-1].pattern) == ""
    return [EVENT_STREAM, *("/" + re.sub(r"<\w+:", "<", str(each.pattern)) for each in patterns[:-1])]


def found_rows(room: Room) -> dict[tuple[str, str, str], dict[str, str]]:
    """Call every route as everybody."""
    found = {}
    for process in urls.role_urls:
        with room.process(process):
            for route in http_routes():
                if route.process == process:
                    for method in route.methods:
                        callers = USERS if is_of_admin(process, route.path) else CALLERS
                        answers = {caller: room.status(caller, method, route.path) for caller in callers}
                        found[process, method, route.path] = dict.fromkeys(CALLERS, answers["anonymous"]) | answers
    for path in push_paths():
        found["push", "GET", path] = {caller: push_status(room, caller, path) for caller in CALLERS}
    return found


def read_table() -> dict[tuple[str, str, str], dict[str, str]]:
    with TABLE.open(newline="") as file:
        return {
            (row["process"], row["method"], row["path"]): {caller: row[caller] for caller in CALLERS}
            for row in csv.DictReader(file)
        }


@pytest.mark.slow
def test_every_route_answers_each_caller_as_the_table_says(room, renew):
    found = found_rows(room)
    if renew:
        with TABLE.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["process", "method", "path", *CALLERS])
            writer.writerows([*key, *answers.values()] for key, answers in found.items())
    written = read_table()
    assert found.keys() == written.keys()
    assert {key: answers for key, answers in found.items() if answers != written[key]} == {}


def test_a_method_that_a_route_does_not_declare_is_refused(room):
    taken = {}
    with room.process("web"):
        for route in http_routes():
            for method in set(METHODS) - set(route.methods) if route.process == "web" else ():
                # Push-in sends every method to the process that takes lines.
                if (status := room.status(OTHER, method, route.path)) not in ("405", "421"):
                    taken[method, route.path] = status
    assert taken == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", ["²", "9" * 5_000, "1'"])
def test_an_address_of_the_admin_with_a_number_that_no_row_has_is_no_fault(room, monkeypatch, number):
    monkeypatch.setattr(f"{__name__}.NOTHING", number)
    room.values = {}
    with room.process("admin"):
        routes = [route for route in http_routes() if route.process == "admin" and "<" in route.path]
        found = {room.status("superuser", method, route.path) for route in routes for method in route.methods}
    assert "404" in found
    assert not {status for status in found if status >= "5"}


def test_nobody_enters_the_admin_without_a_login_as_staff():
    table = read_table().items()
    pages = {path: row for (process, _, path), row in table if is_of_admin(process, path)}
    entered = {path for path, row in pages.items() if not {row["anonymous"], row["user"], row["key:admin"]} <= REFUSED}
    assert len(pages) > 300
    assert entered == {"/admin/login/", "/admin/logout/"}


def test_what_belongs_to_one_key_does_not_exist_for_another():
    owned = ("<job_id>", "<webhook_id>", "<upload>")
    rows = [row for (process, _, path), row in read_table().items() if any(name in path for name in owned)]
    assert len(rows) > 10
    assert {row[OTHER] for row in rows} == {"404", "421"}


def test_a_login_of_the_admin_gives_no_right_to_the_api():
    api = {key: row for key, row in read_table().items() if key[2].startswith("/api/")}
    assert {key for key, row in api.items() if row["superuser"] != row["anonymous"]} == set()
