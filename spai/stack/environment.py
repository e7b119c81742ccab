"""What the stack knows of itself: its folders, its secrets, its ports, and what the operator points elsewhere.

What the processes need is kept in `var/stack.env` (0600), which settings read after the process environment and `.env`;
what the stack alone needs is kept in `var/maintenance.env` (0600), which no process reads.
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
# Which variable holds the address of which process, in the order in which ports are given out.
ADDRESSES = {
    "web": "SPAI_WEB_URL",
    "admin": "SPAI_ADMIN_URL",
    "push": "SPAI_PUSH_URL",
    "sandbox": "SPAI_SANDBOX_URL",
    "mlflow": "MLFLOW_TRACKING_URI",
    "postgres": "DATABASE_URL",
    "redis": "REDIS_URL",
}
# What somebody else may run: where the operator names an address, the stack starts nothing of its own.
MAY_BE_ELSEWHERE = ("mlflow", "postgres", "redis")
DATABASE_USER = "spai"
DATABASE_NAME = "spai"
SUPERUSER = "spai_superuser"
"""Who makes roles and databases in a cluster of our own, and does nothing else."""
MLFLOW_USER = "mlflow"
"""The role that MLflow logs in as."""
MLFLOW_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""With what people, workers and pipeline stages log in to MLflow."""
SECRETS_OF_MAINTENANCE = ("SUPERUSER_PASSWORD", "MLFLOW_DATABASE_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY")
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
    """One checkout's stack.

    Attributes
    ----------
    var : Path
        The folder of all its data.
    own : mapping
        What `stack.env` holds: addresses and secrets of the processes that the stack itself runs.
    outside : mapping
        What the process environment and `.env` say; it wins over `own`.
    maintenance : mapping
        What `maintenance.env` holds: secrets that no process but the one that they are of may know.
    """

    var: Path
    own: Mapping[str, str]
    outside: Mapping[str, str]
    maintenance: Mapping[str, str]

    @property
    def env_file(self) -> Path:
        """The file of the stack's own values."""
        return self.var / "stack.env"

    @property
    def maintenance_file(self) -> Path:
        """The file of the secrets that the stack alone needs."""
        return self.var / "maintenance.env"

    @property
    def mlflow_auth_file(self) -> Path:
        """The file that tells MLflow how it knows its users."""
        return self.var / "mlflow-auth.ini"

    @property
    def logs(self) -> Path:
        """The folder with one log per process."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """The folder of what is only true while the stack runs."""
        return self.var / "run"

    @property
    def static(self) -> Path:
        """The folder of the collected static files."""
        return self.var / "static"

    @property
    def metrics(self) -> Path:
        """The folder in which all processes of one start count together."""
        return self.run / "metrics"

    @property
    def password_file(self) -> Path:
        """The file with the admin's password."""
        return self.var / "admin-password"

    def value(self, name: str) -> str:
        """Return the value that settings will see, empty when there is none."""
        return self.outside.get(name) or self.own.get(name, "")

    def elsewhere(self, process: str) -> bool:
        """Whether the operator points `process` to a server that is not ours."""
        name = ADDRESSES[process]
        told = self.outside.get(name, "")
        return process in MAY_BE_ELSEWHERE and bool(told) and told != self.own.get(name)

    @property
    def runs_sandbox(self) -> bool:
        """Whether the operator wants the simulated world, in the words that settings take for yes."""
        return (self.value("SPAI_SANDBOX") or "true").strip().lower() in ("true", "on", "ok", "y", "yes", "1")

    def port(self, process: str) -> int:
        """Return the port that the stack's own `process` listens on, 0 before one is chosen."""
        return urlsplit(self.own.get(ADDRESSES[process], "")).port or 0

    def address(self, process: str) -> str:
        """Return where `process` is reached on this machine, or where the operator says that it is."""
        name = ADDRESSES[process]
        return self.outside[name] if self.elsewhere(process) else self.own.get(name, "")

    def password(self, process: str) -> str:
        """Return the password in the stack's own address of `process`, empty when there is none."""
        return urlsplit(self.own.get(ADDRESSES[process], "")).password or ""

    @property
    def maintenance_database(self) -> str:
        """The address of the database that every cluster of our own has from its beginning."""
        return urlunsplit(urlsplit(self.own["DATABASE_URL"])._replace(path="/postgres"))

    @property
    def superuser_database(self) -> str:
        """The address of the same database for the superuser, who looks after a cluster of our own."""
        login = f"{SUPERUSER}:{self.maintenance['SUPERUSER_PASSWORD']}"
        return f"postgresql://{login}@127.0.0.1:{self.port('postgres')}/postgres"

    @property
    def mlflow_database(self) -> str:
        """The address of MLflow's own database, which lies beside the one that DATABASE_URL names."""
        if not self.elsewhere("postgres"):
            login = f"{MLFLOW_USER}:{self.maintenance.get('MLFLOW_DATABASE_PASSWORD', '')}"
            return f"postgresql://{login}@127.0.0.1:{self.port('postgres')}/mlflow"
        address = urlsplit(self.value("DATABASE_URL"))
        return urlunsplit(address._replace(scheme="postgresql", path=f"/{address.path.strip('/')}_mlflow"))

    def process_environment(self) -> dict[str, str]:
        """Return the environment in which every process runs."""
        binaries = str(BASE / ".venv" / "bin")
        path = self.outside.get("PATH", os.defpath)
        own = dict(self.own)
        if self.elsewhere("mlflow"):
            # Another server is not shown the password of ours.
            own |= dict.fromkeys(MLFLOW_LOGIN, "")
        return {
            **QUIET,
            **own,
            **self.outside,
            **{name: self.address(process) for process, name in ADDRESSES.items() if process in MAY_BE_ELSEWHERE},
            "SPAI_VAR_DIR": str(self.var),
            "SPAI_STACK": str(self.var),
            "DJANGO_SETTINGS_MODULE": "spai.settings",
            "PATH": path if path.split(os.pathsep)[0] == binaries else f"{binaries}{os.pathsep}{path}",
            "PYTHONUNBUFFERED": "1",
        }


def load(environment: Mapping[str, str] | None = None) -> Stack:
    """Return the stack of this checkout as it is written down now.

    Parameters
    ----------
    environment : mapping, optional
        In place of the process environment and `.env`.
    """
    if environment is None:
        file = os.environ.get("SPAI_ENV_FILE", ".env")
        environment = {**(read_env_file(BASE / file) if file else {}), **os.environ}
    outside = dict(environment)
    var = (BASE / (outside.get("SPAI_VAR_DIR") or "var")).resolve()
    return Stack(
        var=var,
        own=renamed.with_current_names(read_env_file(var / "stack.env")),
        outside=outside,
        maintenance=read_env_file(var / "maintenance.env"),
    )


def settle(stack: Stack, claims: Claims) -> Stack:
    """Choose what is still open – secrets once, ports that are free now – and write it down; return the new state.

    A port of an earlier start is kept where it is still free. `claims` hold the ports until the processes listen.
    """
    own = dict(stack.own)
    own.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    own.setdefault("SPAI_METRICS_TOKEN", secrets.token_urlsafe(24))
    for name, value in zip(MLFLOW_LOGIN, (DATABASE_USER, secrets.token_urlsafe(24)), strict=True):
        own.setdefault(name, value)
    maintenance = {name: secrets.token_urlsafe(24) for name in SECRETS_OF_MAINTENANCE} | dict(stack.maintenance)
    # A process that has to move does not take the place of another one.
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
            "# Written by `manage.py stack up`, which alone reads it: secrets that no process of the site needs.\n"
            + lines(maintenance),
        )
    return Stack(var=stack.var, own=own, outside=stack.outside, maintenance=maintenance)


def lines(values: Mapping[str, str]) -> str:
    """Return names and values as `read_env_file` reads them."""
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.touch(mode=0o600)
    made.write_text(text, encoding="utf-8")
    made.replace(path)
