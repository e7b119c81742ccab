"""What holds in every manifest: no right that is not needed, no secret in the open, nothing that stops for a node."""

from __future__ import annotations

import pytest

from spai.celery import QUEUES
from tests.pure.chart.manifests import NAMES, ROOT, chosen_by, documents, of_kind, pods
from tests.pure.chart.test_names import PORTS, SECRETS

each_name = pytest.mark.parametrize("name", NAMES)
BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"
RELEASE = {"app.kubernetes.io/name": "spai", "app.kubernetes.io/instance": "spai"}


# ── Rights ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@each_name
def test_no_pod_is_root_or_has_rights_of_its_node(name):
    for pod in pods(name):
        security = pod.spec["securityContext"]
        assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert security["runAsUser"] > 0
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod.spec)
        assert not pod.spec["automountServiceAccountToken"]
        assert not pod.spec["enableServiceLinks"]


@each_name
def test_no_container_may_gain_rights_or_write_to_its_image(name):
    for pod in pods(name):
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@each_name
def test_a_pod_writes_only_to_folders_that_end_with_it_and_to_disks_of_runs(name):
    for pod in pods(name):
        kinds = {next(key for key in volume if key != "name") for volume in pod.spec["volumes"]}
        assert kinds <= {"emptyDir", "persistentVolumeClaim"}
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod.spec["volumes"] if "emptyDir" in volume)
        if pod.part not in ("worker-ml", "pipeline"):
            assert kinds == {"emptyDir"}
        for container in pod.containers:
            paths = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert paths <= {"/tmp", "/var/lib/spai", "/dev/shm"}


@each_name
def test_every_container_says_what_it_needs_and_how_much_memory_it_may_take(name):
    for pod in pods(name):
        for container in pod.containers:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@each_name
def test_no_secret_is_in_the_manifests(name):
    assert not of_kind(name, "Secret")
    for pod in pods(name):
        for container in pod.containers:
            shown = {each["name"] for each in container.get("env", ()) if "value" in each}
            assert not shown & SECRETS


@each_name
def test_a_process_gets_no_secret_that_it_does_not_use(name):
    has = {
        pod.part: {each["name"] for container in pod.containers for each in container["env"] if "valueFrom" in each}
        for pod in pods(name)
    }
    of_mlflow = {part for part, keys in has.items() if "MLFLOW_TRACKING_PASSWORD" in keys}
    assert of_mlflow == {"admin", "worker-ml", "pipeline", "mlflow"}
    of_storage = {part for part, keys in has.items() if "AWS_SECRET_ACCESS_KEY" in keys}
    assert of_storage == {"admin", "worker-ml", "worker-scrape", "pipeline", "mlflow"}
    assert {part for part, keys in has.items() if "EMAIL_URL" in keys} == {"worker-default"}
    assert "SECRET_KEY" not in has["mlflow"]


# ── Availability ─────────────────────────────────────────────────────────────────────────────────────────────────────
@each_name
def test_every_process_has_its_three_probes(name):
    for pod in pods(name):
        if pod.owner["kind"] == "Deployment":
            first = pod.spec["containers"][0]
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(first)


@each_name
def test_a_node_can_be_emptied_and_takes_one_pod_of_a_process_at_a_time(name):
    budgets = of_kind(name, "PodDisruptionBudget")
    for pod in pods(name):
        of_pod = [each for each in budgets if chosen_by(each["spec"]["selector"], pod.labels)]
        wanted = pod.owner["kind"] == "Deployment" and pod.part not in ("mlflow", "sandbox")
        assert len(of_pod) == wanted
        assert all(each["spec"]["maxUnavailable"] == 1 for each in of_pod)


@each_name
def test_replicas_are_spread_over_zones_and_nodes(name):
    for pod in pods(name):
        if pod.owner["kind"] != "Deployment":
            continue
        rules = pod.spec["topologySpreadConstraints"]
        assert {rule["topologyKey"] for rule in rules} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(chosen_by(rule["labelSelector"], pod.labels) for rule in rules)


@each_name
def test_what_scales_a_process_finds_it_and_nothing_else_sets_its_replicas(name):
    targets = {each["metadata"]["name"]: each for each in documents(name) if each["kind"] == "Deployment"}
    scaled = [
        each["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for each in of_kind(name, kind)
    ]
    assert len(scaled) == len(set(scaled))
    assert {title for title, each in targets.items() if "replicas" not in each["spec"]} == set(scaled)


def test_in_ha_nothing_that_people_wait_for_is_alone():
    fewest = {}
    for document in documents("ha"):
        if document["kind"] == "Deployment":
            fewest[document["metadata"]["name"]] = document["spec"].get("replicas")
        elif document["kind"] == "HorizontalPodAutoscaler":
            fewest[document["spec"]["scaleTargetRef"]["name"]] = document["spec"]["minReplicas"]
        elif document["kind"] == "ScaledObject":
            fewest[document["spec"]["scaleTargetRef"]["name"]] = document["spec"]["minReplicaCount"]
    # A pipeline run is resumed elsewhere; MLflow is off the path of forecasts.
    assert {each for each, count in fewest.items() if count == 1} == {"spai-worker-ml", "spai-mlflow"}
    assert None not in fewest.values()


@each_name
def test_the_tables_are_there_before_the_pods_and_the_secret_before_the_tables(name):
    (job,) = of_kind(name, "Job")
    notes = job["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
    # The release's own account is made after it.
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    for secret in of_kind(name, "ExternalSecret"):
        notes = secret["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert int(notes["helm.sh/hook-weight"]) < 0
        # Each upgrade replaces this object; its secret must stay meanwhile.
        assert secret["spec"]["target"]["creationPolicy"] == "Orphan"


# ── Network ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@each_name
def test_every_host_name_has_tls_and_leads_to_a_service(name):
    services = {each["metadata"]["name"]: each for each in of_kind(name, "Service")}
    ingresses = of_kind(name, "Ingress")
    assert len(ingresses) == 3
    code = (ROOT / "apps" / "api" / "intake" / "bodies.py").read_text(encoding="utf-8")
    assert "BYTES_LIMIT: Final = 64 * 1024 * 1024" in code
    for each in ingresses:
        (rule,) = each["spec"]["rules"]
        assert [rule["host"]] == each["spec"]["tls"][0]["hosts"]
        assert each["metadata"]["annotations"][BODY_SIZE] == "64m"
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert backend["port"]["name"] in [port["name"] for port in services[backend["name"]]["spec"]["ports"]]


@each_name
def test_every_service_leads_to_one_kind_of_pod(name):
    for service in of_kind(name, "Service"):
        chosen = {pod.part for pod in pods(name) if service["spec"]["selector"].items() <= pod.labels.items()}
        assert chosen == {service["metadata"]["labels"]["app.kubernetes.io/component"]}


def rules_of(name: str, part: str, direction: str) -> list[dict]:
    """Rules of the network policies that choose a part."""
    labels = RELEASE | {"app.kubernetes.io/component": part}
    return [
        rule
        for each in of_kind(name, "NetworkPolicy")
        if chosen_by(each["spec"]["podSelector"], labels)
        for rule in each["spec"].get(direction, ())
    ]


def ports_of(name: str, part: str, direction: str, peer: str) -> set:
    """Ports that a part may use with peers of a kind: `ipBlock`, `namespaceSelector` or `podSelector`."""
    way = "to" if direction == "egress" else "from"
    return {
        port["port"]
        for rule in rules_of(name, part, direction)
        if any(peer in each for each in rule[way])
        for port in rule["ports"]
    }


@each_name
def test_nothing_is_open_that_no_rule_names(name):
    (deny,) = (each for each in of_kind(name, "NetworkPolicy") if set(each["spec"]) == {"podSelector", "policyTypes"})
    assert sorted(deny["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert all(chosen_by(deny["spec"]["podSelector"], pod.labels) for pod in pods(name))
    for each in of_kind(name, "NetworkPolicy"):
        for rule in [*each["spec"].get("egress", ()), *each["spec"].get("ingress", ())]:
            assert rule["ports"]
            # A rule without peers would be open to all.
            assert rule.get("to", rule.get("from")), each["metadata"]["name"]


@each_name
def test_the_internet_is_open_to_those_who_send_requests_there_and_no_machine_of_ours_is(name):
    reach = {
        part
        for part in {pod.part for pod in pods(name)}
        for rule in rules_of(name, part, "egress")
        for peer in rule["to"]
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" and 80 in {port["port"] for port in rule["ports"]}
    }
    assert reach == {"worker-scrape", "worker-webhooks", "worker-default"}
    for document in of_kind(name, "NetworkPolicy"):
        for rule in document["spec"].get("egress", ()):
            for peer in rule["to"]:
                if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(
                        peer["ipBlock"]["except"]
                    )


@each_name
def test_mlflow_and_the_sandbox_are_reached_by_those_who_use_them_alone(name):
    users = {"mlflow": {"admin", "worker-ml", "pipeline"}, "sandbox": {"admin", "worker-scrape"}}
    there = {pod.part for pod in pods(name)}
    for server, wanted in users.items():
        if server not in there:
            continue
        (rule,) = rules_of(name, server, "ingress")
        (peer,) = rule["from"]
        allowed = {pod.part for pod in pods(name) if chosen_by(peer["podSelector"], pod.labels)}
        leaving = {part for part in there if PORTS[server] in ports_of(name, part, "egress", "podSelector")}
        assert allowed == leaving == wanted


def test_workers_are_reached_by_prometheus_alone():
    for queue in QUEUES:
        assert rules_of("ci", f"worker-{queue}", "ingress") == []
        assert ports_of("ha", f"worker-{queue}", "ingress", "namespaceSelector") == {"metrics"}
