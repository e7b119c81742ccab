"""Dockerfile, compose.yaml and what goes with them name what is in the code; tests/images builds and runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml

from apps.api.intake.bodies import BYTES_LIMIT
from apps.api.urls import EVENT_STREAM, ingest_urlpatterns
from spai.celery import QUEUES
from spai.stack import container, processes, stopping
from spai.stack.environment import DATABASE_USER, SUPERUSER, Stack, read_env_file
from spai.stack.roles import APPLICATION, RETENTION
from spai.stack.temporary import TemporaryServers

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SERVERS = {"proxy", "postgres", "redis"}
OWN = {name: service for name, service in SERVICES.items() if name not in SERVERS}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NGINX = (ROOT / "spai" / "server" / "nginx.conf").read_text()
IMAGES = {"spai-web", "spai-worker", "spai-scraper", "spai-pipeline"}
PREPARES = "prepare"
"""The service that ends when it has prepared the database."""


@pytest.fixture
def stack(tmp_path, monkeypatch) -> Stack:
    monkeypatch.setenv("SPAI_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://spai:secret@postgres:5432/spai")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "spai")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    return container.stack_here()


@pytest.fixture
def server(tmp_path) -> Path:
    """A folder with what compose.yaml reads, its secrets included."""
    shutil.copytree(ROOT / "spai" / "server", tmp_path / "spai" / "server")
    shutil.copyfile(ROOT / "compose.yaml", tmp_path / "compose.yaml")
    write_files(tmp_path)
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / "var" / "server" / name).touch()
    return tmp_path


def write_files(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", "spai/server/files.sh", "spai.example.org"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def images_of(text: str) -> dict[str, str]:
    """Return the targets of a Dockerfile that are images, each with its last stage."""
    stages = re.split(r"^FROM .* AS ([\w-]+)$", text, flags=re.M)[1:]
    return {name: stage for name, stage in zip(stages[::2], stages[1::2], strict=True) if name.startswith("spai-")}


def test_each_image_ends_as_a_user_without_rights_and_starts_a_process(stack):
    found = images_of(DOCKERFILE)
    assert found.keys() == IMAGES
    assert f"ENTRYPOINT {['python', '-m', container.__spec__.name]!r}".replace("'", '"') in DOCKERFILE
    for name, stage in found.items():
        assert re.findall(r"^USER (.+)$", stage, flags=re.M) == ["10001:10001"], name
        (command,) = re.findall(r'^CMD \["(.+)"\]$', stage, flags=re.M)
        assert container.process_of(stack, command).command
        exposed = {int(port) for port in " ".join(re.findall(r"^EXPOSE (.+)$", stage, flags=re.M)).split()}
        ports = set(container.SITE_PORTS.values()) if name == "spai-web" else {container.MLFLOW_PORT}
        assert exposed == (ports if name in ("spai-web", "spai-pipeline") else set()), name


def test_an_image_gets_the_locks_the_code_and_nothing_else():
    locks = re.findall(r"sh /requirements/image.sh (\w+)$", DOCKERFILE, flags=re.M)
    assert locks == ["web", "worker", "pipeline"]
    assert all((ROOT / "requirements" / f"{lock}.txt").is_file() for lock in locks)
    first, *lines = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line[:1] not in ("#", "")]
    assert first == "*"
    taken = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all(list(ROOT.glob(pattern)) for pattern in taken)
    assert {"manage.py", "apps", "spai", "templates", "dvc.yaml"} <= set(taken)
    assert not {".env", ".git", "var", "tests"} & set(taken)


def test_compose_is_what_its_schema_says():
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_docker_compose_reads_it(server):
    done = subprocess.run(["docker-compose", "config"], cwd=server, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() == SERVICES.keys()


def test_compose_runs_every_process_with_its_image_and_its_check(stack):
    commands = {name: service["command"] for name, service in OWN.items()}
    assert all(len(command) == 1 for command in commands.values())
    run = {command[0] for command in commands.values()} - {PREPARES}
    assert run == {*container.SITE_PORTS, "mlflow", "beat", *(f"worker-{queue}" for queue in QUEUES)}
    image = {"worker-scrape": "spai-scraper", "worker-ml": "spai-pipeline", "mlflow": "spai-pipeline"}
    for name, service in OWN.items():
        (process,) = commands[name]
        expected = image.get(process, "spai-worker" if process.startswith("worker-") else "spai-web")
        assert service["build"]["target"] == expected
        assert service["image"] == f"${{REGISTRY:-}}{expected}:${{TAG:-latest}}"
        if process != PREPARES:
            check = ["CMD", "python", "-m", container.__spec__.name, "check", process]
            assert service["healthcheck"]["test"] == check
            assert container.process_of(stack, process).purpose


def test_its_containers_may_do_little_and_have_time_to_end():
    for name, service in OWN.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        grace = float(service["stop_grace_period"].removesuffix("s"))
        assert grace >= stopping.DRAIN_SECONDS + stopping.FINISH_SECONDS + 5, name


def test_servers_are_set_as_on_one_machine():
    options = SERVICES["postgres"]["command"][2::2]
    assert {each.split("=")[0]: each.split("=")[1] for each in options}.items() <= processes.POSTGRES_SETTINGS.items()
    assert " ".join(f"--{setting}" for setting in processes.REDIS_SETTINGS) in SERVICES["redis"]["command"][-1]


def test_nginx_passes_each_path_to_the_process_that_answers_it():
    upstream = dict(re.findall(r"^ +set \$(\w+) +(\w+:\d+);$", NGINX, flags=re.M))
    assert upstream == {name: f"{name}:{container.SITE_PORTS[name]}" for name in ("web", "admin", "push")}
    assert (
        SERVICES["web-1"]["networks"]["inside"]["aliases"]
        == ["web"]
        == SERVICES["web-2"]["networks"]["inside"]["aliases"]
    )
    routes = re.findall(r"location ~ (\S+) \{[^}]*proxy_pass http://\$(\w+);", NGINX)
    of = {process: re.compile(pattern) for pattern, process in routes}
    assert of["push"].match(EVENT_STREAM)
    assert of["push"].match("/ws/v1/events/")
    assert all(of["admin"].match(f"/{url.pattern}") for url in ingest_urlpatterns)
    assert of["admin"].match("/admin/login/")
    assert not any(pattern.match(path) for pattern in of.values() for path in ("/", "/api/v1/events/", "/static/x.css"))
    (limit,) = re.findall(r"client_max_body_size +(\d+)m;", NGINX)
    assert int(limit) * 1024 * 1024 == BYTES_LIMIT


def test_the_secrets_of_a_server_are_written_once_and_for_their_owner(server):
    files = {path.name: read_env_file(path) for path in (server / "var" / "server").glob("*.env")}
    assert files.keys() == {"site.env", "owner.env", "mlflow.env", "databases.env"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (server / "var" / "server").glob("*.env"))
    assert len(files["site.env"]["SECRET_KEY"]) >= 50
    assert files["databases.env"]["SPAI_PASSWORD"] in files["site.env"]["DATABASE_URL"]
    assert files["databases.env"]["OWNER_PASSWORD"] in files["owner.env"]["DATABASE_URL"]
    assert files["databases.env"]["REDIS_PASSWORD"] in files["site.env"]["REDIS_URL"]
    assert files["databases.env"]["MLFLOW_PASSWORD"] in files["mlflow.env"]["DATABASE_URL"]
    again = write_files(server)
    assert again.returncode == 1
    assert "is kept" in again.stderr
    assert files["site.env"] == read_env_file(server / "var" / "server" / "site.env")
    known = (ROOT / ".env.example").read_text() + (ROOT / "spai" / "stack" / "processes.py").read_text()
    assert [name for name in {**files["site.env"], **files["mlflow.env"]} if name not in known] == []


def test_of_the_site_only_the_migrations_log_in_as_the_owner_of_the_tables():
    listed = {name: service["env_file"] for name, service in OWN.items()}
    files = {
        name: [given] if isinstance(given, str) else [each["path"] for each in given] for name, given in listed.items()
    }
    assert [name for name, paths in files.items() if "var/server/owner.env" in paths] == [PREPARES]
    # The last one wins.
    assert files[PREPARES] == ["var/server/site.env", "var/server/owner.env"]


@pytest.mark.skipif(not shutil.which("psql"), reason="psql is not installed")
def test_the_roles_of_a_new_server_are_those_of_one_machine(server):
    passwords = read_env_file(server / "var" / "server" / "databases.env")
    with TemporaryServers("spai-compose-") as servers:
        address = urlsplit(servers.start_postgres({"fsync": "off"}))
        superuser = address._replace(netloc=f"{SUPERUSER}:{address.password}@127.0.0.1:{address.port}")
        with psycopg.connect(superuser.geturl(), autocommit=True) as session:
            for role in (DATABASE_USER, RETENTION, APPLICATION):
                session.execute(f"ALTER ROLE {role} RENAME TO {role}_of_tests")
            login = {"PGHOST": "127.0.0.1", "PGPORT": str(address.port), "PGPASSWORD": str(address.password)}
            environment = {**os.environ, **passwords, **login, "POSTGRES_USER": SUPERUSER, "PGDATABASE": "postgres"}
            subprocess.run(["sh", "spai/server/databases.sh"], cwd=server, env=environment, check=True)
            owners = session.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database").fetchall()
            assert {name: owner for name, owner in owners if name.startswith("spai")} == {
                "spai": "spai_owner",
                "spai_mlflow": "mlflow",
            }
            may = session.execute(
                "SELECT pg_has_role('spai', 'spai_application', 'usage'),"
                " pg_has_role('spai', 'spai_retention', 'member'), pg_has_role('spai', 'spai_owner', 'member')"
            ).fetchone()
            assert may == (True, True, False)


def test_a_process_in_a_container_listens_on_its_port_and_asks_itself(stack):
    for name, port in container.SITE_PORTS.items():
        command = container.process_of(stack, name).command
        assert command[command.index("--port") + 1] == str(port)
        assert command[command.index("--host") + 1] == "0.0.0.0"
    mlflow = container.process_of(stack, "mlflow")
    assert (
        mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg://spai:secret@postgres:5432/spai_mlflow"
    )
    assert mlflow.environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == "secret"
    assert str(container.MLFLOW_PORT) in mlflow.command
    with pytest.raises(SystemExit, match="worker-forecast"):
        container.process_of(stack, "worker-unknown")


def test_the_web_image_needs_nothing_of_the_other_locks():
    missing = "psutil, playwright, mlflow, dvc, supervisor, great_expectations, evidently"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r}.split(', '))); from spai.stack import container; "
        "from spai.stack import site; stack = container.stack_here(); "
        "[container.process_of(stack, name) for name in (*container.SITE_PORTS, 'mlflow', 'beat', 'worker-default')]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_kernels_of_the_image_are_copied_to_where_they_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "KERNELS", tmp_path / "image")
    (tmp_path / "image" / "x").mkdir(parents=True)
    container.copy_kernels(str(tmp_path / "here"))
    (tmp_path / "here" / "compiled").touch()
    container.copy_kernels(str(tmp_path / "here"))
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["compiled", "x"]
    assert {path.name for path in tmp_path.iterdir()} >= {"image", "here"}
