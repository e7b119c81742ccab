"""Settings; no other module of the site reads the environment.

Values come from the process environment, then `.env` (or the file that `SPAI_ENV_FILE` names), then `stack.env` in
`SPAI_VAR_DIR` (written by the one-machine stack); the first that contains a variable wins. An invalid or missing value
stops the start with an error that names it. The text below a variable is its meaning: `docs/reference/configuration.md`
and `.env.example` are made of it (`pytest tests/test_reference.py --renew`).
"""

from __future__ import annotations

import base64
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from pythonjsonlogger.core import RESERVED_ATTRS

from apps.matches import redis_addresses
from spai import admin_theme, api_document, broker
from spai.stack import renamed
from spai.stack.stopping import DRAIN_SECONDS

BASE_DIR = Path(__file__).resolve().parent.parent


# ── Environment ──────────────────────────────────────────────────────────────────────────────────────────────────────
class Environment(environ.Env):
    """The variables; a number or a truth value that is none is refused by the name of its variable."""

    FALSE_STRINGS = ("false", "off", "n", "no", "0", "")

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """Return the value of a variable; `$OTHER` stands for that of another one."""
        text = self.ENVIRON.get(var, "")
        is_truth = text.isdigit() or text.strip().lower() in (*self.BOOLEAN_TRUE_STRINGS, *self.FALSE_STRINGS)
        if cast is bool and not is_truth and not text.startswith("$"):
            raise ImproperlyConfigured(f"{var} is {text!r}; it must be true or false")
        try:
            return super().get_value(var, cast, default, parse_default)
        except ValueError as error:
            if cast not in (int, float):
                raise
            raise ImproperlyConfigured(f"{var} is {text!r}; it must be a number") from error


env = Environment()
_env_file = env.str("SPAI_ENV_FILE", default=".env")
"""The file that is read after the process environment; set it in the process environment; empty for none."""
if _env_file and (BASE_DIR / _env_file).is_file():
    env.read_env(BASE_DIR / _env_file)
if _error := renamed.error_in(env.ENVIRON):
    raise ImproperlyConfigured(_error)
SPAI_VAR_DIR = Path(env.str("SPAI_VAR_DIR", default=str(BASE_DIR / "var")))
"""Folder of what this machine keeps outside the database: logs, pipeline workspaces, verified model bundles."""


class StackFile(environ.Env):
    """The content of `stack.env`, apart from the environment."""

    ENVIRON: dict[str, str] = {}


if (SPAI_VAR_DIR / "stack.env").is_file():
    StackFile.read_env(SPAI_VAR_DIR / "stack.env")
if env.str("MLFLOW_TRACKING_URI", default="") not in ("", StackFile.ENVIRON.get("MLFLOW_TRACKING_URI")):
    # The password of the stack's own MLflow must not be sent to another server.
    for _name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        StackFile.ENVIRON.pop(_name, None)
for _name, _value in renamed.with_current_names(StackFile.ENVIRON).items():
    env.ENVIRON.setdefault(_name, _value)


def required(name: str) -> str:
    """Return the variable `name`, which has no default."""
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. `make up` starts everything and writes it to {SPAI_VAR_DIR / 'stack.env'}; "
            "elsewhere set it in the environment or in .env (see .env.example)."
        )
    return value


def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
    """Return the variable `name`, which must be one of `choices`."""
    value = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


def at_least(name: str, least: int, default: int) -> int:
    """Return the variable `name`, a whole number that is not below `least`."""
    value: int = env.int(name, default=default)
    if value < least:
        raise ImproperlyConfigured(f"{name} is {value}; it must be {least} or more")
    return value


def is_http(address: str) -> bool:
    """Return whether a text is an address of http or https, with a host and a valid port if any."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def names_of_this_machine(address: str) -> set[str]:
    """Return an address with each name of this machine where it has one of them, because a browser may use either."""
    names, parts = ("127.0.0.1", "localhost"), urlsplit(address)
    if parts.hostname not in names:
        return {address}
    return {address.replace(f"//{parts.hostname}", f"//{name}", 1) for name in names}


# ── Identity and security ────────────────────────────────────────────────────────────────────────────────────────────
SECRET_KEY: str = required("SECRET_KEY")
"""Django's key: random text of 50 characters or more. Whoever knows it can log in as anyone."""
DEBUG: bool = env.bool("DEBUG", default=False)
"""For developers: errors are shown with their source."""
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
"""Host names under which the site answers."""

# ── Processes and addresses ──────────────────────────────────────────────────────────────────────────────────────────
SPAI_ROLE = one_of("SPAI_ROLE", ("web", "admin", "push"), "web")
"""Which process this is: `web` (pages and API), `admin` (admin and push-in) or `push` (websockets, event streams)."""
SPAI_THREADS = at_least("SPAI_THREADS", 1, 1)
"""Requests that one worker of `web` or `admin` answers at a time."""
SPAI_PUSH_CONNECTIONS = at_least("SPAI_PUSH_CONNECTIONS", 1, 2000)
"""Websockets and event streams that one push process serves at a time."""
SPAI_PUSH_CONNECTIONS_OF_ADDRESS = at_least("SPAI_PUSH_CONNECTIONS_OF_ADDRESS", 1, 200)
"""Of these, to one address."""
SPAI_REVISION: str = env.str("SPAI_REVISION", default="")
"""Code revision of an image that carries no git history."""
SPAI_STOP_MARK: str = env.str("SPAI_STOP_MARK", default="")
"""File that is there once this process is about to be stopped; the first process of a container sets and writes it."""
SPAI_DRAIN_SECONDS: float = env.float("SPAI_DRAIN_SECONDS", default=DRAIN_SECONDS)
"""How long a process of the site serves on in a container that is being stopped; it is not ready meanwhile."""

SPAI_WEB_URL: str = env.str("SPAI_WEB_URL", default="http://127.0.0.1:8000").rstrip("/")
"""Public address of pages and API; https here switches secure cookies and HSTS on."""
SPAI_ADMIN_URL: str = env.str("SPAI_ADMIN_URL", default="http://127.0.0.1:8001").rstrip("/")
"""Public address of the admin and of push-in."""
SPAI_PUSH_URL: str = env.str("SPAI_PUSH_URL", default="http://127.0.0.1:8002").rstrip("/")
"""Public address of websockets and event streams."""
SPAI_SANDBOX_URL: str = env.str("SPAI_SANDBOX_URL", default="http://127.0.0.1:8003").rstrip("/")
"""Address of the web site of the simulated world."""
for _name, _address in (
    ("SPAI_WEB_URL", SPAI_WEB_URL),
    ("SPAI_ADMIN_URL", SPAI_ADMIN_URL),
    ("SPAI_PUSH_URL", SPAI_PUSH_URL),
    ("SPAI_SANDBOX_URL", SPAI_SANDBOX_URL),
):
    if not is_http(_address):
        raise ImproperlyConfigured(f"{_name} must be an http address; got {_address!r}")
SPAI_PUSH_WS_URL = SPAI_PUSH_URL.replace("http", "ws", 1)

_https = SPAI_WEB_URL.startswith("https://")
SPAI_PAGE_ORIGINS = sorted(names_of_this_machine(SPAI_WEB_URL) | names_of_this_machine(SPAI_ADMIN_URL))
CSRF_TRUSTED_ORIGINS = SPAI_PAGE_ORIGINS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_REDIRECT_EXEMPT = [r"^readyz$", r"^metrics$"]
SECURE_REFERRER_POLICY = "same-origin"
# Cookies are not separated by port: with the port in their names, two stacks on one machine do not log each other out.
# Browsers accept the prefix for this host alone, and over TLS alone.
_cookies = f"{'__Host-' if _https else ''}spai_{urlsplit(SPAI_ADMIN_URL).port or 'site'}"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_cookies}_session", f"{_cookies}_csrf"
# A login lasts a working day, however often it is used.
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"

# ── Logins ───────────────────────────────────────────────────────────────────────────────────────────────────────────
SPAI_PROXIES = at_least("SPAI_PROXIES", 0, 0)
"""Number of proxies in front of this process; so many addresses at the end of X-Forwarded-For are trusted."""
# Length, and no password that everybody tries; no rules about kinds of characters (NIST SP 800-63B).
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Wrong passwords for one account from one address; spai/logins.py adds limits for the address and for the account.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HANDLER = "spai.logins.LoginHandler"
AXES_CLIENT_IP_CALLABLE = "spai.logins.client_address"
AXES_LOCKOUT_CALLABLE = "spai.logins.too_many"
AXES_RESET_ON_SUCCESS = True
# Attempts during the wait must not extend it beyond the time that the page shows.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# An address from which an operator has logged in stays open to the account while strangers try it.
AXES_DISABLE_ACCESS_LOG = False
AXES_VERBOSE = False
# spai/admin.py shows failed logins in Unfold's forms.
AXES_ENABLE_ADMIN = False
# Neither passwords nor codes of the second factor are kept with a failed login.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]

SPAI_SECOND_FACTOR = one_of("SPAI_SECOND_FACTOR", ("optional", "required"), "optional")
"""Whether staff must have a second factor; who has set one up is asked for its code in any case."""
OTP_TOTP_ISSUER = "SPAI"

# ── Accounts of readers ──────────────────────────────────────────────────────────────────────────────────────────────
SPAI_ACCOUNTS: bool = env.bool("SPAI_ACCOUNTS", default=False)
"""Whether readers may create accounts, which keep the teams that they follow, their time zone and API keys to read."""

# ── Access to the API ────────────────────────────────────────────────────────────────────────────────────────────────
SPAI_ANONYMOUS_API: bool = env.bool("SPAI_ANONYMOUS_API", default=True)
"""Whether programs read and have forecasts computed without a key; pages are open in any case."""

SPAI_LIMIT_ANONYMOUS = at_least("SPAI_LIMIT_ANONYMOUS", 0, 600)
"""Requests per minute of one address without a key; 0 for no limit."""
SPAI_LIMIT_KEY = at_least("SPAI_LIMIT_KEY", 0, 6_000)
"""Requests per minute of one key that has no limit of its own; 0 for no limit."""
SPAI_COMPUTED_COST = at_least("SPAI_COMPUTED_COST", 1, 5)
"""As how many requests one counts that has a forecast computed, such as a what-if match."""

SPAI_CORS_ORIGINS: list[str] = env.list("SPAI_CORS_ORIGINS", default=[])
"""Origins of other sites whose pages may call the API and connect to push; none by default."""
for _origin in SPAI_CORS_ORIGINS:
    if not is_http(_origin) or _origin != "{0.scheme}://{0.netloc}".format(urlsplit(_origin)):
        raise ImproperlyConfigured(
            f"SPAI_CORS_ORIGINS contains {_origin!r}; each must be like https://example.org, without a path"
        )
CORS_ALLOWED_ORIGINS = SPAI_CORS_ORIGINS
SPAI_PUSH_ORIGINS = [*SPAI_PAGE_ORIGINS, *SPAI_CORS_ORIGINS]
"""Origins of the pages that may connect to push."""
CORS_URLS_REGEX = r"^/api/"
# No cookie: what such a page may do, its key says.
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_HEADERS = [*default_headers, "x-api-key", "idempotency-key", "if-none-match", "x-request-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"]

# Pages have no inline scripts or styles. The admin needs a wider policy, because Unfold's Alpine evaluates strings.
_push_sources = [SPAI_PUSH_URL, SPAI_PUSH_WS_URL]
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "connect-src": [SELF, *_push_sources],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
if SPAI_ROLE == "admin":
    CONTENT_SECURITY_POLICY["DIRECTIVES"] |= {
        "script-src": [SELF, "'unsafe-inline'", "'unsafe-eval'"],
        "style-src": [SELF, "'unsafe-inline'"],
    }

# ── Applications ─────────────────────────────────────────────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_guid",
    "corsheaders",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "channels",
    "django_celery_beat",
    "django_prometheus",
    "apps.matches",
    "apps.scraping",
    "apps.ml",
    "apps.api",
    "spai",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_guid.middleware.guid_middleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before WhiteNoise, so that static files have the header too.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # After WhiteNoise, which has static files compressed already.
    "spai.compression.CompressionMiddleware",
    "apps.api.rest.access.AccessMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # Before everything that reads parameters or forms.
    "spai.charsets.charset_middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "spai.second_factor.SecondFactorMiddleware",
    "spai.audit.origin_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
DJANGO_GUID = {
    "GUID_HEADER_NAME": "X-Request-ID",
    "VALIDATE_GUID": True,
    "RETURN_HEADER": True,
    # CORS_EXPOSE_HEADERS lists it among others.
    "EXPOSE_HEADER": False,
    "UUID_FORMAT": "hex",
}

if SPAI_ROLE == "web":
    # After the headers of Django and before everything that writes texts.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware"),
        "apps.api.pages.languages.language_middleware",
    )

ROOT_URLCONF = "spai.urls"
WSGI_APPLICATION = "spai.wsgi.application"
ASGI_APPLICATION = "spai.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["django.templatetags.i18n"],
        },
    }
]

# ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url_config(required("DATABASE_URL"))}
"""PostgreSQL 15 or newer, `postgresql://user:password@host:port/name`; docs/postgresql.md has the role."""
if "postgresql" not in DATABASES["default"]["ENGINE"]:
    raise ImproperlyConfigured(
        "DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host:port/name"
    )
DATABASES["default"] |= {"ENGINE": "spai.postgresql", "CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 60}
# Costs of tables in memory or on an SSD, where pages can be read in any order. With the defaults, which are for discs,
# PostgreSQL scans all teams and seasons instead of looking up the hundred that a list shows. With these costs jit would
# start too early. Options in DATABASE_URL replace them.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    "options", "-c random_page_cost=1.1 -c cpu_tuple_cost=0.05 -c jit=off"
)
# `apps.matches.connections.prepared` alone uses prepared statements. A server that was cut off is noticed within half a
# minute; by default that takes a quarter of an hour.
DATABASES["default"]["OPTIONS"] = {
    "prepare_threshold": 0,
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # Not to what was the primary a moment ago.
    "target_session_attrs": "read-write",
} | DATABASES["default"]["OPTIONS"]

DATABASE_REPLICA_URL: str = env.str("DATABASE_REPLICA_URL", default="")
"""A streaming replica of `DATABASE_URL`, from which pages and requests for reading take matches and forecasts."""
SPAI_REPLICA_LAG_SECONDS = at_least("SPAI_REPLICA_LAG_SECONDS", 1, 5)
"""Age of the replica's data from which on they are read from the primary."""
if DATABASE_REPLICA_URL:
    _replica = env.db_url_config(DATABASE_REPLICA_URL)
    if "postgresql" not in _replica["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_REPLICA_URL must name a replica of DATABASE_URL, in the same form")
    # A replica that vanished is noticed within seconds; its own options win.
    _quick = {"connect_timeout": 2, "tcp_user_timeout": 3000, "target_session_attrs": "any"}
    _quick = DATABASES["default"]["OPTIONS"] | _quick
    _replica["OPTIONS"] = _quick | _replica.get("OPTIONS", {})
    DATABASES["replica"] = DATABASES["default"] | _replica | {"ENGINE": DATABASES["default"]["ENGINE"]}
    DATABASE_ROUTERS = ["apps.matches.replicas.ReplicaRouter"]
    if SPAI_ROLE == "web":
        MIDDLEWARE.append("apps.matches.replicas.ReplicaMiddleware")

REDIS_URL: str = required("REDIS_URL")
"""Redis 7 or newer, `redis://:password@host:port/0`: cache, limits and broker; also `rediss://` for TLS and
`redis+sentinel://host,host/name/0`."""
try:
    redis_addresses.parse(REDIS_URL)
except ValueError as error:
    raise ImproperlyConfigured(f"REDIS_URL is no address of a Redis: {error}") from error
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "spai",
        "OPTIONS": {
            "pool_class": "apps.matches.redis_addresses.CachePool",
            "socket_connect_timeout": 1,
            "socket_timeout": 2,
            # By default values are pickles: who can write to Redis could run code here.
            "serializer": "django.core.signing.JSONSerializer",
        },
    },
}

# ── Scraping ─────────────────────────────────────────────────────────────────────────────────────────────────────────
SPAI_CONTACT: str = env.str("SPAI_CONTACT", default="")
"""Address or mail in the user agent, by which the owner of a scraped site can reach the operator."""
SPAI_BROWSER: str = env.str("SPAI_BROWSER", default="")
"""Path of the browser to use; empty to search for one."""
SPAI_BROWSER_SANDBOX: bool = env.bool("SPAI_BROWSER_SANDBOX", default=True)
"""Whether Chromium's own sandbox is used, which a container without user namespaces makes impossible, as root does."""
BROWSER_WS_URL: str = env.str("BROWSER_WS_URL", default="")
"""A remote browser over CDP, such as a Selenoid grid; used in place of a local one."""
if BROWSER_WS_URL and urlsplit(BROWSER_WS_URL).scheme not in ("ws", "wss", "http", "https"):
    raise ImproperlyConfigured(f"BROWSER_WS_URL is {BROWSER_WS_URL!r}; it must begin with ws:// or wss://")
SPAI_SOURCE_HOSTS: list[str] = env.list("SPAI_SOURCE_HOSTS", default=[])
"""Hosts and networks inside the network that sources may be read from; others must be on the public internet."""
SPAI_SNAPSHOTS: str = env.str("SPAI_SNAPSHOTS", default="")
"""Storage of raw pages: a folder, or s3://bucket/prefix; empty for `SPAI_VAR_DIR/snapshots`."""
SPAI_S3_ENDPOINT: str = env.str("SPAI_S3_ENDPOINT", default="")
"""Address of an S3 service that is not Amazon's, such as MinIO."""
_keep_days = at_least("SPAI_KEEP_DAYS", 0, 365)
"""Days for which raw pages and scrape runs of real sources are kept, unless the admin says otherwise; 0 for ever."""
SPAI_KEEP = timedelta(days=_keep_days) if _keep_days else None

SPAI_REAL_DATA: str = env.str("SPAI_REAL_DATA", default="")
"""Folder of real match files for tests and benchmarks; the product never reads it."""

# ── Webhooks and metrics ─────────────────────────────────────────────────────────────────────────────────────────────
SPAI_WEBHOOK_HOSTS: list[str] = env.list("SPAI_WEBHOOK_HOSTS", default=[])
"""Hosts and networks inside the network that webhooks may be sent to, over http and on every port too."""

PROMETHEUS_MULTIPROC_DIR: str = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
"""Folder in which the processes of one machine share their metrics; prometheus_client reads it too."""
SPAI_METRICS_TOKEN: str = env.str("SPAI_METRICS_TOKEN", default="")
"""Bearer token with which a program reads `/metrics`; empty for logged-in staff alone."""

# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
SPAI_ALERT_EMAILS: list[str] = env.list("SPAI_ALERT_EMAILS", default=[])
"""Who gets mails about alerts, through the mail server of EMAIL_URL; nobody by default."""
# EMAIL_BACKEND, EMAIL_HOST and the others that Django reads.
vars().update(env.email_url("EMAIL_URL", default="dummymail://"))
"""The mail server, such as `smtp+tls://user:password@host:587`; by default mails go nowhere."""
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = env.str("SPAI_ALERT_SENDER", default="spai@localhost")
"""Sender of these mails."""
if SPAI_ALERT_EMAILS and not env.str("EMAIL_URL", default=""):
    raise ImproperlyConfigured(
        "SPAI_ALERT_EMAILS is set and EMAIL_URL is not: name the mail server, such as smtp+tls://user:password@host:587"
    )
SPAI_ALERT_WEBHOOK_URL: str = env.str("SPAI_ALERT_WEBHOOK_URL", default="")
"""Address that gets a request about alerts, in the form of Alertmanager's webhooks; none by default."""
if SPAI_ALERT_WEBHOOK_URL and not is_http(SPAI_ALERT_WEBHOOK_URL):
    raise ImproperlyConfigured(f"SPAI_ALERT_WEBHOOK_URL must be an http address; got {SPAI_ALERT_WEBHOOK_URL!r}")
SPAI_ALERT_WEBHOOK_SECRET: str = env.str("SPAI_ALERT_WEBHOOK_SECRET", default="")
"""Secret `whsec_…` that signs these requests as Standard Webhooks; empty for none."""
try:
    base64.b64decode(SPAI_ALERT_WEBHOOK_SECRET.removeprefix("whsec_"), validate=True)
except ValueError as error:
    raise ImproperlyConfigured("SPAI_ALERT_WEBHOOK_SECRET must be whsec_ and bytes in Base64") from error

# ── Forecasting ──────────────────────────────────────────────────────────────────────────────────────────────────────
MLFLOW_TRACKING_URI: str = env.str("MLFLOW_TRACKING_URI", default="")
"""Address of the MLflow server; only workers, admin actions and pipeline stages use it."""
MLFLOW_TRACKING_USERNAME: str = env.str("MLFLOW_TRACKING_USERNAME", default="")
"""Login of workers, pipeline and people at that server; MLflow reads it from the environment too."""
MLFLOW_TRACKING_PASSWORD: str = env.str("MLFLOW_TRACKING_PASSWORD", default="")
"""Its password; MLflow reads it from the environment too."""
SPAI_DVC_REMOTE: str = env.str("SPAI_DVC_REMOTE", default="")
"""Remote of `dvc push`: a folder or an s3:// address; empty for `SPAI_VAR_DIR/dvc-remote`."""
SPAI_WORLD = one_of("SPAI_WORLD", ("", "real", "sandbox"), "")
"""The world that `dvc repro` in a shell uses; empty for the one that the site shows by default."""
SPAI_PROFILE = one_of("SPAI_PROFILE", ("smoke", "production"), "production")
"""Effort of training: `smoke` for tests, whose versions never forecast the real world, `production` otherwise."""
_stage_minutes = at_least("SPAI_STAGE_LIMIT_MINUTES", 1, 720)
"""Minutes after which one stage of a pipeline run is ended, far above what a slow machine needs."""
SPAI_STAGE_LIMIT = timedelta(minutes=_stage_minutes)
SPAI_TRAIN_PROCESSES = at_least("SPAI_TRAIN_PROCESSES", 0, 0)
"""Processes that fit models at once, each with one thread; 0: one for each processor, and one for short histories."""
SPAI_DASK_SCHEDULER: str = env.str("SPAI_DASK_SCHEDULER", default="")
"""Scheduler of a Dask cluster that fits models, such as `tcp://scheduler:8786`; empty: processes of this machine."""
SPAI_SANDBOX: bool = env.bool("SPAI_SANDBOX", default=True)
"""Whether the web site of the simulated world runs and its matches are kept up to date."""

# ── Celery ───────────────────────────────────────────────────────────────────────────────────────────────────────────
BROKER: str = env.str("CELERY_BROKER_URL", default="") or REDIS_URL
"""The broker that carries messages to workers, `REDIS_URL` by default; RabbitMQ as `amqp://user:password@host/vhost`."""
# `spai.broker` makes Celery's settings of it.
try:
    vars().update({f"CELERY_{name.upper()}": value for name, value in broker.celery_settings(BROKER).items()})
except ValueError as error:
    raise ImproperlyConfigured(f"CELERY_BROKER_URL is no address of a broker: {error}") from error
# The state of all work is in database rows; messages only trigger it. Stored results would duplicate the rows.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "spai.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
# Store the time of each task at once: the health check of celery-beat reads it.
CELERY_BEAT_SYNC_EVERY = 1

# ── Language, time, files ────────────────────────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
# Of the pages; admin, API and commands are English. docs/how-to/add-a-language.md says how another one comes in.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
# Templates write numbers for readers by filters, which `apps.api.written` makes; those for SVG stay as they are.
FORMAT_MODULE_PATH = "spai.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("SPAI_STATIC_DIR", default=str(SPAI_VAR_DIR / "static")))
"""Collected static files; an image holds its own."""


def snapshot_storage(place: str) -> dict[str, Any]:
    """Return the storage of raw pages: a folder, or a bucket when `place` is an s3:// address."""
    if not place.startswith("s3://"):
        folder = place or str(SPAI_VAR_DIR / "snapshots")
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}}
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    if not bucket:
        raise ImproperlyConfigured(f"SPAI_SNAPSHOTS is {place!r}; it must name a bucket: s3://bucket/prefix")
    # boto3 finds the keys: in AWS_ACCESS_KEY_ID, a profile or the machine's role.
    options = {"bucket_name": bucket, "location": prefix, "file_overwrite": True, "default_acl": None}
    if SPAI_S3_ENDPOINT:
        options["endpoint_url"] = SPAI_S3_ENDPOINT
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


STORAGES = {
    "snapshots": snapshot_storage(SPAI_SNAPSHOTS),
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# Only processes of this user read raw pages and static files.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700

# ── REST ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.api.authentication.ApiKeyAuthentication"],
    # A view that says nothing else is for reading.
    "DEFAULT_PERMISSION_CLASSES": ["apps.api.authentication.may_read"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "apps.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "apps.api.rest.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # Views with several formats negotiate by `FormatNegotiation`; elsewhere `format` is an unknown parameter.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = api_document.spectacular_settings(SPAI_WEB_URL)

# ── Admin ────────────────────────────────────────────────────────────────────────────────────────────────────────────
LOGIN_URL = reverse_lazy("admin:login") if SPAI_ROLE == "admin" else f"{SPAI_ADMIN_URL}/admin/login/"
# The page after a login that was not triggered by another page.
LOGIN_REDIRECT_URL = "/admin/"
UNFOLD = admin_theme.unfold_settings(SPAI_WEB_URL)

# ── Logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
LOG_LEVEL = one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
"""The least important messages that are logged."""
LOG_FORMAT = one_of("LOG_FORMAT", ("auto", "json", "line"), "auto")
"""`json` for programs, `line` for people; `auto` is `line` on a terminal and with DEBUG, else `json`."""
if LOG_FORMAT == "auto":
    LOG_FORMAT = "line" if DEBUG or sys.stderr.isatty() else "json"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "ids": {"()": "spai.observability.IdFilter"},
        "refusals": {"()": "spai.observability.RefusalFilter"},
    },
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s%(ids)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["levelname", "name", "message"],
            "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "error"},
            "static_fields": {"role": SPAI_ROLE},
            "timestamp": "time",
            # Django adds the request itself, whose id is there.
            "reserved_attrs": [*RESERVED_ATTRS, "ids", "request"],
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["ids", "refusals"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django_guid": {"level": "WARNING"},
        # It warns that RabbitMQ would delay no message of our queues; none is to be delayed.
        "kombu.transport.native_delayed_delivery": {"level": "ERROR"},
        # Each request, which the scrape run stores already.
        "httpx": {"level": "WARNING"},
        # The servers begin with handlers of their own.
        **{name: {"handlers": [], "propagate": True} for name in ("_granian", "uvicorn", "uvicorn.error")},
    },
}
OTEL_EXPORTER_OTLP_ENDPOINT: str = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
"""Address to which traces are sent (OTLP over HTTP); empty to trace nothing."""
SENTRY_DSN: str = env.str("SENTRY_DSN", default="")
"""Project of Sentry to which errors are reported; empty to report none."""
