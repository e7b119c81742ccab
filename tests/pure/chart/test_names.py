"""Every name in the chart is one of the code: processes, images, ports, paths, commands, variables, queues, rules."""

from __future__ import annotations

import inspect
import re
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from spai.buffering.application import LIVENESS
from spai.celery import QUEUES
from spai.monitoring.files import BOARDS, RULE_FILE
from spai.stack import container, processes, stopping, worker_metrics
from spai.stack.environment import MLFLOW_LOGIN, SECRETS_OF_MAINTENANCE
from tests.pure.chart.manifests import CHART, NAMES, ROOT, chosen_by, of_kind, pods, read

WORKERS = {f"worker-{queue}" for queue in QUEUES}
PARTS = {*container.SITE_PORTS, *WORKERS, "beat", "mlflow"}
PORTS = container.SITE_PORTS | {"mlflow": container.MLFLOW_PORT} | dict.fromkeys(WORKERS, worker_metrics.PORT)
ONE_MACHINE = {"DEBUG", "SPAI_PROMETHEUS", "SPAI_REAL_DATA", "SPAI_SERVERS", "SPAI_WORLD"}
"""Variables for development, tests and the one-machine stack."""
OF_IMAGES = {
    *("PROMETHEUS_MULTIPROC_DIR", "SPAI_BROWSER", "SPAI_BROWSER_SANDBOX", "SPAI_DRAIN_SECONDS", "SPAI_REVISION"),
    *("SPAI_ROLE", "SPAI_STATIC_DIR", "SPAI_STOP_MARK", "SPAI_THREADS", "SPAI_VAR_DIR"),
}
"""Variables that an image or its entry point sets."""
OF_LIBRARIES = {
    "boto3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"),
    "mlflow": ("MLFLOW_SERVER_ALLOWED_HOSTS",),
}
"""Variables that a library reads: those of boto3 are documented, MLflow's are in its code."""
SECRETS = set(read(CHART / "secrets" / "example.yaml")[0]["stringData"])

each_name = pytest.mark.parametrize("name", NAMES)


def documented() -> set[str]:
    """Variables of the settings and of the stack."""
    return set(re.findall(r"^# ([A-Z]\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M))


def of_schema(*path: str) -> Any:
    found = orjson.loads((CHART / "values.schema.json").read_bytes())["properties"]
    for each in path:
        found = found[each]
    return found


# ── Processes ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_process_of_the_site_is_in_the_chart():
    seen = {pod.part for name in NAMES for pod in pods(name) if pod.owner["kind"] == "Deployment"}
    assert seen == PARTS


@each_name
def test_every_pod_runs_the_process_whose_name_it_has(name):
    for pod in pods(name):
        if pod.owner["kind"] == "Deployment":
            first = pod.spec["containers"][0]
            assert (first["args"][0], "command" in first) == (pod.part, False)
            assert first["args"][1:] in ([], ["--workers", "1"], ["--workers", "2"])


def test_the_queues_of_the_values_are_those_of_the_code():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values["workers"]) == set(QUEUES) == set(of_schema("workers", "properties"))
    scaled = {queue for queue, worker in values["workers"].items() if "autoscaling" in worker}
    assert scaled == set(yaml.safe_load((CHART / "files" / "queues.yaml").read_text(encoding="utf-8")))


@each_name
def test_every_image_is_a_target_of_the_dockerfile_that_can_run_the_process(name):
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    usual = dict(re.findall(r"AS (spai-\w+)\n(?:.*\n)*?CMD \[\"([\w-]+)\"\]", text))
    image_of = {part: image for image, part in usual.items()}
    for pod in pods(name):
        names = {each["image"].rpartition("/")[2].partition(":")[0] for each in pod.containers}
        assert len(names) == 1
        assert names <= set(usual)
        assert names == {image_of.get(pod.part, *names)}
    uses_mlflow = {pod.part for pod in pods(name) if "spai-pipeline:" in pod.containers[0]["image"]}
    assert uses_mlflow == {"worker-ml", "pipeline", "mlflow"}


@each_name
def test_ports_are_those_that_the_images_listen_on(name):
    for pod in pods(name):
        listened = [port["containerPort"] for each in pod.containers for port in each.get("ports", ())]
        assert listened == ([PORTS[pod.part]] if pod.part in PORTS else [])
    for service in of_kind(name, "Service"):
        part = service["spec"]["selector"]["app.kubernetes.io/component"]
        (port,) = service["spec"]["ports"]
        assert (port["port"], port["name"], port["targetPort"]) == (PORTS[part], port["name"], port["name"])


@each_name
def test_pods_run_as_the_user_of_the_images_and_keep_data_where_those_write(name):
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    users, places = set(re.findall(r"^USER (\d+)", text, re.M)), set(re.findall(r"SPAI_VAR_DIR=(\S+)", text))
    shared = str(Path("/tmp", container.PRIVATE.name, "metrics"))
    for pod in pods(name):
        assert {str(pod.spec["securityContext"]["runAsUser"])} == users
        for each in pod.containers:
            mounted = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
            assert mounted["tmp"] == "/tmp"
            if each["name"] == "metrics":
                assert variables(each)["PROMETHEUS_MULTIPROC_DIR"] == shared
            else:
                assert {mounted["var"]} == places


# ── Probes and commands ──────────────────────────────────────────────────────────────────────────────────────────────
@each_name
def test_probes_ask_for_what_is_served(name):
    for pod in pods(name):
        if pod.owner["kind"] != "Deployment":
            continue
        first = pod.spec["containers"][0]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = first[kind]
            if "httpGet" not in probe:
                continue
            path = probe["httpGet"]["path"]
            if pod.part == "mlflow":
                assert f"{path}" in inspect.getsource(processes.mlflow)
            elif kind == "readinessProbe":
                assert path in served()
            else:
                assert path == LIVENESS


def served() -> set[str]:
    """Paths that every process of the site serves."""
    return {
        f"/{path}"
        for path in re.findall(r'path\("(\w+)", probes', (ROOT / "spai" / "urls.py").read_text(encoding="utf-8"))
    }


def commands(name: str) -> list[tuple[str, list[str]]]:
    """Commands of containers and of their probes, with the part that they belong to."""
    found = []
    for pod in pods(name):
        for each in pod.containers:
            probes = (each.get(f"{kind}Probe", {}).get("exec", {}) for kind in ("startup", "liveness", "readiness"))
            found += [(pod.part, asked["command"]) for asked in (each, *probes) if "command" in asked]
    return found


@each_name
def test_every_command_is_one_of_the_code(name):
    for part, command in commands(name):
        assert command[0] == "python"
        if command[1] == "-m":
            assert find_spec(command[2]) is not None, command
            assert command[3:] in ([], [part], ["check", part]), command
        else:
            assert command[1] == "manage.py"
            assert list(ROOT.glob(f"*/management/commands/{command[2]}.py")), command


@each_name
def test_a_pod_is_killed_only_after_its_process_could_finish(name):
    longest = stopping.DRAIN_SECONDS + stopping.FINISH_SECONDS
    assert {pod.spec["terminationGracePeriodSeconds"] > longest for pod in pods(name)} == {True}


# ── Variables ────────────────────────────────────────────────────────────────────────────────────────────────────────
def variables(container: dict[str, Any]) -> dict[str, str]:
    """Variables of a container, with a text of the right kind in place of a secret."""
    secret = {
        "CELERY_BROKER_URL": "amqp://u:p@mq/spai",
        "DATABASE_URL": "postgresql://u:p@db/spai",
        "DATABASE_REPLICA_URL": "postgresql://u:p@db-ro/spai",
        "EMAIL_URL": "smtp://mail:25",
        "REDIS_URL": "redis://cache/0",
        "SPAI_ALERT_WEBHOOK_SECRET": "whsec_c2VjcmV0",
    }
    return {
        each["name"]: each["value"] if "value" in each else secret.get(each["name"], "192.0.2.1")
        for each in container.get("env", ())
    }


@each_name
def test_every_variable_is_one_that_the_code_reads(name):
    known = documented() | {name for names in OF_LIBRARIES.values() for name in names}
    known |= {"POD_IP", "SPAI_ENV_FILE", *SECRETS_OF_MAINTENANCE, *MLFLOW_LOGIN}
    seen = {each for pod in pods(name) for container in pod.containers for each in variables(container)}
    assert seen - known == set()


def test_mlflow_reads_its_variables():
    found = find_spec("mlflow")
    assert found is not None
    assert found.origin is not None
    code = (Path(found.origin).parent / "environment_variables.py").read_text(encoding="utf-8")
    assert [each for each in OF_LIBRARIES["mlflow"] if f'"{each}"' not in code] == []


def test_every_documented_variable_has_its_place_in_a_cluster():
    """Set by the chart, offered by `env` of the values, secret, of the image, or of one machine; never two of these."""
    offered = set(of_schema("env", "propertyNames", "enum"))
    by_chart = {
        each["name"]
        for name in NAMES
        for pod in pods(name)
        for container in pod.containers
        for each in container.get("env", ())
        if "value" in each
    }
    by_chart -= offered | OF_IMAGES
    assert documented() - by_chart - offered - SECRETS - OF_IMAGES - ONE_MACHINE == set()
    assert offered & SECRETS == by_chart & SECRETS == offered & OF_IMAGES == set()
    assert offered - documented() <= set(OF_LIBRARIES["boto3"])


@each_name
def test_the_settings_accept_the_environment_of_every_pod(name, monkeypatch):
    for pod in pods(name):
        first = pod.spec["containers"][0]
        if pod.part == "mlflow":
            continue
        with monkeypatch.context() as patched:
            for each in documented():
                patched.delenv(each, raising=False)
            for key, value in variables(first).items():
                patched.setenv(key, value.replace("$(POD_IP)", "192.0.2.1"))
            patched.setenv("SPAI_VAR_DIR", "/nonexistent")
            settings = runpy.run_path(str(ROOT / "spai" / "settings.py"))
        assert settings["SESSION_COOKIE_SECURE"]
        assert "192.0.2.1" in settings["ALLOWED_HOSTS"]
        assert settings["SPAI_SNAPSHOTS"].startswith("s3://")


def test_the_page_grants_keda_the_tables_that_its_statements_read():
    queries = yaml.safe_load((CHART / "files" / "queues.yaml").read_text(encoding="utf-8"))
    tables = {re.findall(r"FROM (\w+)", query)[0] for query in queries.values()}
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    assert set(re.findall(r"GRANT SELECT ON (.+) TO", page)[0].split(", ")) == tables


# ── Monitoring ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["production", "ha"])
def test_rules_and_dashboards_are_those_of_the_code(name):
    (rule,) = of_kind(name, "PrometheusRule")
    assert rule["spec"] == read(RULE_FILE)[0]
    (boards,) = (each for each in of_kind(name, "ConfigMap") if each["metadata"]["name"].endswith("dashboards"))
    written = {path.name: orjson.loads(path.read_bytes()) for path in (BOARDS.parent / "dashboards").glob("*.json")}
    assert {file: orjson.loads(text) for file, text in boards["data"].items()} == written


@pytest.mark.parametrize("name", ["production", "ha"])
def test_prometheus_asks_every_process_that_counts_under_the_name_that_the_rules_use(name):
    (monitor,) = of_kind(name, "ServiceMonitor")
    found = {}
    for service in of_kind(name, "Service"):
        labels = service["metadata"]["labels"]
        if chosen_by(monitor["spec"]["selector"], labels):
            part = labels["app.kubernetes.io/component"]
            found[part] = {port["name"] for port in service["spec"]["ports"]}
            job = labels[monitor["spec"]["jobLabel"]]
            assert f'up{{job="{job}"}}' in RULE_FILE.read_text(encoding="utf-8")
    assert set(found) == {"web", "admin", "push", *WORKERS}
    asked = {each["port"] for each in monitor["spec"]["endpoints"]}
    assert all(len(ports & asked) == 1 for ports in found.values())
    assert {each["path"] for each in monitor["spec"]["endpoints"]} == {"/metrics"}
    assert "/metrics" in served()


@each_name
def test_the_names_in_the_network_policies_are_parts(name):
    for policy in of_kind(name, "NetworkPolicy"):
        text = orjson.dumps(policy["spec"]).decode()
        named = {part for group in re.findall(r'"values":\[(.*?)\]', text) for part in re.findall(r"[\w-]+", group)}
        assert named <= PARTS | {"migrate", "pipeline"}
