"""The stack's folders, secrets and ports, and the external servers that the operator names.

`var/stack.env` (0600) holds what the processes need; settings read it after the process environment and `.env`.
`var/maintenance.env` (0600) holds what only the stack commands need; no process reads it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from spai.stack import renamed
from spai.stack.ports import Claims, free_port

BASE = Path(__file__).resolve().parents[2]
FIRST_PORT = 8000
# The variable that holds the address of each process, in the order in which ports are assigned.
ADDRESSES = {
    "web": "SPAI_WEB_URL",
    "admin": "SPAI_ADMIN_URL",
    "push": "SPAI_PUSH_URL",
    "sandbox": "SPAI_SANDBOX_URL",
    "mlflow": "MLFLOW_TRACKING_URI",
    "postgres": "DATABASE_URL",
    "redis": "REDIS_URL",
    "prometheus": "SPAI_PROMETHEUS_URL",
    "alertmanager": "SPAI_ALERTMANAGER_URL",
}
# Servers that the stack does not start when the operator names the address of another one.
MAY_BE_EXTERNAL = ("mlflow", "postgres", "redis")
DATABASE_USER = "spai"
DATABASE_NAME = "spai"
SUPERUSER = "spai_superuser"
"""The role that creates roles and databases in our own cluster; nothing else logs in as it."""
VARIABLES = {
    "SPAI_SERVERS": ("auto", "Origin of the PostgreSQL and Redis programs: `system`, `embedded` or `auto`."),
    "SPAI_MLFLOW_ARTIFACTS": (
        "",
        "Where MLflow's server keeps files of models: a folder, or a bucket such as `s3://spai/mlflow`; a folder in "
        "`SPAI_VAR_DIR` by default.",
    ),
    "SPAI_PROMETHEUS": ("true", "Whether Prometheus and Alertmanager run where they are installed."),
}
"""Default and meaning of what only the stack reads; `spai/settings.py` has all other variables."""
OWNER = "spai_owner"
"""The role that owns the tables of the site, as which migrations run."""
MLFLOW_USER = "mlflow"
"""The role that MLflow logs in as."""
MLFLOW_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""The login of people, workers and pipeline stages at MLflow."""
SECRETS_OF_MAINTENANCE = (
    *("SUPERUSER_PASSWORD", "OWNER_PASSWORD"),
    *("MLFLOW_DATABASE_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"),
)
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
}
"""Telemetry of libraries, off."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the names and values of a file of `NAME=value` lines; empty when there is no such file."""
    values = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        found = re.fullmatch(r"\s*(?:export )?([A-Za-z_]\w*)=(.*)", line)
        if found:
            name, value = found.group(1), found.group(2).strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            values[name] = value
    return values


@dataclass(frozen=True)
class Stack:
    """One checkout's stack."""

    var: Path  # the folder of all its data
    own: Mapping[str, str]  # the content of `stack.env`: addresses and secrets of the processes that it runs itself
    overrides: Mapping[str, str]  # the process environment and `.env`, which win over `own`
    maintenance: Mapping[str, str]  # the content of `maintenance.env`: secrets that each reach one process at most

    @property
    def env_file(self) -> Path:
        """The file of the stack's own values."""
        return self.var / "stack.env"

    @property
    def maintenance_file(self) -> Path:
        """The file of the secrets that only the stack needs."""
        return self.var / "maintenance.env"

    @property
    def mlflow_auth_file(self) -> Path:
        """The configuration of logins at MLflow."""
        return self.var / "mlflow-auth.ini"

    @property
    def logs(self) -> Path:
        """The folder with one log per process."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """The folder of files that matter only while the stack runs."""
        return self.var / "run"

    @property
    def static(self) -> Path:
        """The folder of the collected static files."""
        return self.var / "static"

    @property
    def metrics(self) -> Path:
        """The folder in which the processes share their metrics."""
        return self.run / "metrics"

    @property
    def password_file(self) -> Path:
        """The file with the password of the first admin user."""
        return self.var / "admin-password"

    def value(self, name: str) -> str:
        """Return the value that settings see, empty when there is none."""
        return self.overrides.get(name) or self.own.get(name) or VARIABLES.get(name, ("",))[0]

    def is_external(self, process: str) -> bool:
        """Whether the operator names a server to use in place of our own `process`."""
        name = ADDRESSES[process]
        address = self.overrides.get(name, "")
        return process in MAY_BE_EXTERNAL and bool(address) and address != self.own.get(name)

    @property
    def runs_sandbox(self) -> bool:
        """Whether the simulated world is switched on, by the same words as in settings."""
        return self.is_on("SPAI_SANDBOX")

    @property
    def runs_prometheus(self) -> bool:
        """Whether Prometheus and Alertmanager run where they are installed."""
        return self.is_on("SPAI_PROMETHEUS")

    def is_on(self, name: str) -> bool:
        """Whether a variable is on, which it is by default."""
        return (self.value(name) or "true").strip().lower() in ("true", "on", "ok", "y", "yes", "1")

    def port(self, process: str) -> int:
        """Return the port that the stack's own `process` listens on, 0 before one is chosen."""
        return urlsplit(self.own.get(ADDRESSES[process], "")).port or 0

    def address(self, process: str) -> str:
        """Return the address of `process` on this machine, or of the external server that replaces it."""
        name = ADDRESSES[process]
        return self.overrides[name] if self.is_external(process) else self.own.get(name, "")

    def password(self, process: str) -> str:
        """Return the password in the stack's own address of `process`, empty when there is none."""
        return urlsplit(self.own.get(ADDRESSES[process], "")).password or ""

    @property
    def maintenance_database(self) -> str:
        """The address of `postgres`, the database that every cluster has from its creation."""
        return urlunsplit(urlsplit(self.own["DATABASE_URL"])._replace(path="/postgres"))

    @property
    def superuser_database(self) -> str:
        """The address of the same database for the superuser."""
        login = f"{SUPERUSER}:{self.maintenance['SUPERUSER_PASSWORD']}"
        return f"postgresql://{login}@127.0.0.1:{self.port('postgres')}/postgres"

    @property
    def owner_database(self) -> str:
        """The address of the site's database for the role that migrates it; on an external server, the operator's."""
        if self.is_external("postgres"):
            return self.value("DATABASE_URL")
        login = f"{OWNER}:{self.maintenance['OWNER_PASSWORD']}"
        return f"postgresql://{login}@127.0.0.1:{self.port('postgres')}/{DATABASE_NAME}"

    @property
    def mlflow_database(self) -> str:
        """The address of MLflow's own database, on the server that DATABASE_URL names."""
        if not self.is_external("postgres"):
            login = f"{MLFLOW_USER}:{self.maintenance.get('MLFLOW_DATABASE_PASSWORD', '')}"
            return f"postgresql://{login}@127.0.0.1:{self.port('postgres')}/mlflow"
        address = urlsplit(self.value("DATABASE_URL"))
        return urlunsplit(address._replace(scheme="postgresql", path=f"/{address.path.strip('/')}_mlflow"))

    def process_environment(self) -> dict[str, str]:
        """Return the environment in which every process runs."""
        binaries = str(BASE / ".venv" / "bin")
        path = self.overrides.get("PATH", os.defpath)
        own = dict(self.own)
        if self.is_external("mlflow"):
            # The password of our server is not sent to an external one.
            own |= dict.fromkeys(MLFLOW_LOGIN, "")
        return {
            **QUIET,
            **own,
            **self.overrides,
            **{name: self.address(process) for process, name in ADDRESSES.items() if process in MAY_BE_EXTERNAL},
            "SPAI_VAR_DIR": str(self.var),
            "SPAI_STACK": str(self.var),
            "DJANGO_SETTINGS_MODULE": "spai.settings",
            "PATH": path if path.split(os.pathsep)[0] == binaries else f"{binaries}{os.pathsep}{path}",
            "PYTHONUNBUFFERED": "1",
        }


def load(environment: Mapping[str, str] | None = None) -> Stack:
    """Return the stack of this checkout from its files and the environment; `environment` replaces that and `.env`."""
    if environment is None:
        file = os.environ.get("SPAI_ENV_FILE", ".env")
        environment = {**(read_env_file(BASE / file) if file else {}), **os.environ}
    overrides = dict(environment)
    var = (BASE / (overrides.get("SPAI_VAR_DIR") or "var")).resolve()
    return Stack(
        var=var,
        own=renamed.with_current_names(read_env_file(var / "stack.env")),
        overrides=overrides,
        maintenance=read_env_file(var / "maintenance.env"),
    )


def complete(stack: Stack, claims: Claims) -> Stack:
    """Choose the missing secrets and the ports, write both files, and return the new state.

    Secrets are chosen once. A port of an earlier start is kept when it is still free; `claims` reserve the ports until
    the processes listen on them.
    """
    own = dict(stack.own)
    own.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    own.setdefault("SPAI_METRICS_TOKEN", secrets.token_urlsafe(24))
    for name, value in zip(MLFLOW_LOGIN, (DATABASE_USER, secrets.token_urlsafe(24)), strict=True):
        own.setdefault(name, value)
    maintenance = {name: secrets.token_urlsafe(24) for name in SECRETS_OF_MAINTENANCE} | dict(stack.maintenance)
    # A process whose port is taken must not move to the port of another one.
    taken = {stack.port(process) for process in ADDRESSES}
    following = FIRST_PORT
    for process, name in ADDRESSES.items():
        port = free_port(
            stack.port(process) or following, taken - {stack.port(process)}, upwards=True, claim=claims.claim
        )
        taken.add(port)
        following = max(following, port) + 1 if port < FIRST_PORT + 1000 else following
        key = stack.password(process) or secrets.token_urlsafe(24)
        own[name] = {
            "postgres": f"postgresql://{DATABASE_USER}:{key}@127.0.0.1:{port}/{DATABASE_NAME}",
            "redis": f"redis://:{key}@127.0.0.1:{port}/0",
        }.get(process, f"http://127.0.0.1:{port}")
    if stack.var != BASE / "var":
        own["SPAI_VAR_DIR"] = str(stack.var)
    if own != read_env_file(stack.env_file):
        write_private(
            stack.env_file,
            "# Written by `manage.py stack up`; settings read it last, after the environment and .env.\n" + lines(own),
        )
    if maintenance != dict(stack.maintenance):
        write_private(
            stack.maintenance_file,
            "# Written and read only by `manage.py stack`: secrets that no process of the site needs.\n"
            + lines(maintenance),
        )
    return Stack(var=stack.var, own=own, overrides=stack.overrides, maintenance=maintenance)


def lines(values: Mapping[str, str]) -> str:
    """Return names and values as `read_env_file` reads them."""
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.touch(mode=0o600)
    made.write_text(text, encoding="utf-8")
    made.replace(path)
