"""The chart as Helm renders it: what an operator gets, and what is refused."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from deploy.reference import settings_page

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "firenet"
HELM = shutil.which("helm")
SERVICES = {"alerts", "alerts-fire", "compliance", "console", "documents", "ingest", "registry", "rules"}
RICH = (
    "gb26875.tcpPort=5200",
    "gb26875.udpPort=5200",
    "channelsSecret=channels",
    "deliveryReports.port=9110",
    "ingress.enabled=true",
    "ingress.host=fire.example.cn",
    "ingress.tlsSecret=fire-tls",
)
Manifest: TypeAlias = dict[str, Any]

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not installed: the chart is not rendered")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=120)


def template(*sets: str, upgrade: bool = False) -> list[Manifest]:
    how = ["--is-upgrade"] if upgrade else []
    done = helm("template", "firenet", str(CHART), "--kube-version=1.34.0", *how, *(f"--set={one}" for one in sets))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


@pytest.fixture(scope="module", params=[(), RICH], ids=["plain", "rich"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return template(*request.param)


def of_kind(manifests: list[Manifest], *kinds: str) -> Iterator[Manifest]:
    return (one for one in manifests if one["kind"] in kinds)


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for one in of_kind(manifests, "Deployment", "StatefulSet", "Job"):
        yield one["metadata"]["name"], one["spec"]["template"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    for name, pod in pods(manifests):
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            yield f"{name}/{container['name']}", container, pod


def named(one: Manifest) -> str:
    return str(one["metadata"]["name"])


def component_of(one: Manifest) -> str:
    return str(one["metadata"]["labels"]["app.kubernetes.io/component"])


def environment(container: Manifest) -> Mapping[str, str]:
    return {one["name"]: one["value"] for one in container.get("env", [])}


def test_helm_finds_nothing_to_say_against_it() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_of_compose_is_in_it_with_its_port(manifests: list[Manifest]) -> None:
    compose = yaml.load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["services"]
    ours = {component_of(one): one for one in of_kind(manifests, "Deployment", "StatefulSet")}
    assert ours.keys() == SERVICES | {"mqtt"}
    for name in SERVICES:
        (container,) = ours[name]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == compose[name]["command"]
        port = next(one["containerPort"] for one in container["ports"] if one["name"] == "status")
        assert str(port) == compose[name]["healthcheck"]["test"][-1]


def test_every_setting_in_it_is_one_that_a_service_reads(manifests: list[Manifest]) -> None:
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", settings_page())) | {"PGPASSWORD", "PGCONNECT_TIMEOUT", "FIRST_PACK"}
    used = {name.removesuffix("_FILE") for _, one, _ in containers(manifests) for name in environment(one)}
    files = {"DOCUMENTS_LINK_KEYS", "INGEST_MQTT_PASSWORD"}
    assert files <= used, "the two that differ in name from service to service"
    assert used <= known


def test_every_file_that_a_setting_names_is_mounted(manifests: list[Manifest]) -> None:
    seen = 0
    for name, container, pod in containers(manifests):
        there = set()
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        for mount in container["volumeMounts"]:
            items = volumes.get(mount["name"], {}).get("secret", {}).get("items", [])
            there |= {f"{mount['mountPath']}/{item['path']}" for item in items}
        for value in environment(container).values():
            for path in re.findall(r"/run/(?:secrets|database)/[a-z_.]+", value):
                assert path in there, f"{name}: {path}"
                seen += 1
    assert seen > 30


def test_no_process_has_more_rights_or_memory_than_it_was_given(manifests: list[Manifest]) -> None:
    for name, container, pod in containers(manifests):
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert "memory" in container["resources"]["limits"], name
        assert "cpu" not in container["resources"]["limits"], f"{name}: a fire waits while cores idle"
        assert not container["image"].endswith(":latest"), name
        assert not any("PASSWORD" in key and not key.endswith("_FILE") for key in environment(container)), name


def test_a_service_is_waited_for_asked_and_spread(manifests: list[Manifest]) -> None:
    """A broker that is away makes nobody ready and nobody restarted: alive is who answers at all."""
    for one in of_kind(manifests, "Deployment", "StatefulSet"):
        if component_of(one) == "mqtt":
            continue
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "status"}
        assert container["livenessProbe"]["httpGet"] == container["startupProbe"]["httpGet"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "status"}
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [rule["topologyKey"] for rule in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_of_several_one_may_be_taken_away_and_a_single_one_holds_up_no_drain(manifests: list[Manifest]) -> None:
    budgets = {named(one): one["spec"]["maxUnavailable"] for one in of_kind(manifests, "PodDisruptionBudget")}
    several = [one for one in of_kind(manifests, "Deployment", "StatefulSet") if one["spec"]["replicas"] > 1]
    assert budgets == {named(one): 1 for one in several}
    assert len(budgets) == 6


def test_every_selector_finds_a_pod(manifests: list[Manifest]) -> None:
    labels = [pod["metadata"]["labels"].items() for _, pod in pods(manifests)]
    for one in of_kind(manifests, "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"):
        selector = one["spec"].get("selector") or one["spec"]["podSelector"]
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= pod for pod in labels), one["metadata"]["name"]


def test_every_pod_has_a_policy_and_nobody_from_outside_reaches_the_door_of_services(manifests: list[Manifest]) -> None:
    policies = {component_of(one): one["spec"] for one in of_kind(manifests, "NetworkPolicy")}
    assert policies.keys() == SERVICES | {"mqtt", "prepare"}
    for component, policy in policies.items():
        for rule in policy["ingress"] or []:
            ports = {port["port"] for port in rule["ports"]}
            from_anywhere = {8883, 8884} if component == "mqtt" else {5200} if component == "ingest" else set()
            assert "from" in rule or ports <= from_anywhere, component
    (door,) = (rule for rule in policies["mqtt"]["ingress"] if {"port": 8885} in rule["ports"])
    (inside,) = door["from"][0]["podSelector"]["matchExpressions"]
    assert inside["values"] == ["ingest", "alerts", "alerts-fire", "console"]
    assert world(manifests) == {"alerts", "alerts-fire", "documents"}


def world(manifests: list[Manifest]) -> set[str]:
    """Return who may reach every address."""
    return {component_of(one) for one in of_kind(manifests, "NetworkPolicy") if {} in (one["spec"]["egress"] or [])}


def test_the_console_reaches_outside_when_people_sign_in_by_a_provider_there() -> None:
    rendered = template("services.console.env.CONSOLE_OIDC_ISSUER=https://login.example.cn")
    assert world(rendered) == {"alerts", "alerts-fire", "documents", "console"}


def test_prometheus_gets_the_jobs_and_rules_that_it_has_elsewhere(manifests: list[Manifest]) -> None:
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = [one for one in of_kind(manifests, "Service") if wanted <= one["metadata"]["labels"].items()]
    assert {one["metadata"]["labels"][monitor["spec"]["jobLabel"]] for one in scraped} == SERVICES
    assert all(one["spec"]["clusterIP"] == "None" and one["spec"]["publishNotReadyAddresses"] for one in scraped)
    (rules,) = of_kind(manifests, "PrometheusRule")
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))
    written = [yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["groups"] for path in files]
    assert rules["spec"]["groups"] == [group for groups in written for group in groups]
    maps = {name: text for one in of_kind(manifests, "ConfigMap") for name, text in one["data"].items()}
    boards = {path.name: json.loads(path.read_bytes()) for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}
    assert {name: json.loads(text) for name, text in maps.items() if name.endswith(".json")} == boards


def test_the_broker_has_the_settings_that_it_has_in_compose(manifests: list[Manifest]) -> None:
    (files,) = (one["data"] for one in of_kind(manifests, "ConfigMap") if "mosquitto.conf" in one["data"])
    folder = ROOT / "deploy" / "mosquitto"
    assert files["mosquitto.conf"] == (folder / "mosquitto.conf").read_text(encoding="utf-8")
    assert files["secured.conf"] == (folder / "listeners" / "secured.conf").read_text(encoding="utf-8")


def test_what_was_acknowledged_lies_on_two_machines(manifests: list[Manifest]) -> None:
    (kafka,) = of_kind(manifests, "Kafka")
    (pool,) = of_kind(manifests, "KafkaNodePool")
    config = kafka["spec"]["kafka"]["config"]
    assert pool["spec"]["replicas"] == config["default.replication.factor"] == 3
    assert (config["min.insync.replicas"], config["unclean.leader.election.enable"]) == (2, False)
    (database,) = of_kind(manifests, "Cluster")
    assert database["spec"]["instances"] == 3
    assert database["spec"]["postgresql"]["synchronous"] == {"method": "any", "number": 1}


def test_the_settings_of_an_operator_win_and_those_of_alerts_hold_for_fire_too() -> None:
    rendered = template(
        "services.alerts.env.ALERTS_SMTP_HOST=mail.example.cn", "services.alerts-fire.env.ALERTS_SMTP_PORT=587"
    )
    of = {name: environment(one) for name, one, _ in containers(rendered)}
    fire, ordinary = of["firenet-alerts-fire/alerts-fire"], of["firenet-alerts/alerts"]
    assert (fire["ALERTS_SMTP_HOST"], fire["ALERTS_LANE"]) == ("mail.example.cn", "fire")
    assert fire["ALERTS_SMTP_PORT"] == "587"
    assert (ordinary["ALERTS_SMTP_HOST"], ordinary["ALERTS_LANE"]) == ("mail.example.cn", "ordinary")
    assert "ALERTS_SMTP_PORT" not in ordinary


def test_providers_reach_the_port_of_delivery_reports_by_the_ingress_and_nothing_else_of_alerts() -> None:
    rendered = template(*RICH, "deliveryReports.annotations.example=quiet")
    services = {named(one): one["spec"] for one in of_kind(rendered, "Service")}
    (port,) = services["firenet-delivery-reports"]["ports"]
    assert services["firenet-delivery-reports"].get("type", "ClusterIP") == "ClusterIP"
    assert services["firenet-delivery-reports"]["selector"]["app.kubernetes.io/component"] == "alerts"
    of = {name: one for name, one, _ in containers(rendered)}
    listens = {one["name"]: one["containerPort"] for one in of["firenet-alerts/alerts"]["ports"]}
    assert listens == {"status": 9103, "reports": 9110}
    assert port["targetPort"] == "reports"
    assert environment(of["firenet-alerts/alerts"])["ALERTS_DELIVERY_REPORT_PORT"] == "9110"
    assert environment(of["firenet-alerts-fire/alerts-fire"])["ALERTS_DELIVERY_REPORT_PORT"] == "0"
    policies = {component_of(one): one["spec"]["ingress"] for one in of_kind(rendered, "NetworkPolicy")}
    (rule,) = (one for one in policies["alerts"] if {"port": 9110} in one["ports"])
    (source,) = rule["from"]
    assert source["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}
    assert not any(
        {"port": 9110} in one["ports"] for name, rules in policies.items() if name != "alerts" for one in rules or ()
    )
    (led,) = (one for one in of_kind(rendered, "Ingress") if named(one) == "firenet-delivery-reports")
    assert led["metadata"]["annotations"] == {"example": "quiet"}
    (rule,) = led["spec"]["rules"]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("fire.example.cn", "/delivery-reports")
    assert led["spec"]["tls"] == [{"hosts": ["fire.example.cn"], "secretName": "fire-tls"}]


def test_without_a_port_for_delivery_reports_there_is_nothing_of_it() -> None:
    rendered = template()
    assert not any("delivery-reports" in named(one) for one in rendered)
    of = {name: environment(one) for name, one, _ in containers(rendered)}
    assert of["firenet-alerts/alerts"]["ALERTS_DELIVERY_REPORT_PORT"] == "0"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("services.ingest.replicas=0", "minimum"),
        ("services.compliance.replicas=2", "maximum"),
        ("services.ruler.replicas=2", "ruler"),
        ("keepDays=30", "minimum"),
        ("services.rules.env.lower=1", "lower"),
        ("services.alerts.env.ALERTS_LANE=ordinary", "ALERTS_LANE"),
        ("services.rules.env.RULES_INSTANCE=a", "RULES_INSTANCE"),
        ("services.alerts.env.ALERTS_DELIVERY_REPORT_PORT=9110", "ALERTS_DELIVERY_REPORT_PORT"),
        ("deliveryReports.port=9103", "deliveryReports"),
        ("kafka.cluster.enabled=false", "kafka.bootstrap is needed"),
        ("database.cluster.enabled=false", "database.host is needed"),
        ("ingress.enabled=true", "ingress.host is needed"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(value: str, said: str) -> None:
    done = helm("template", "firenet", str(CHART), "--kube-version=1.34.0", f"--set={value}")
    assert done.returncode != 0
    assert said in done.stderr


def test_a_number_of_a_values_file_reaches_the_service_as_it_was_written(tmp_path: Path) -> None:
    values = tmp_path / "mine.yaml"
    values.write_text("services: {ingest: {env: {INGEST_MQTT_HOLD_BYTES: 134217728, INGEST_DRAIN_S: 2.5}}}\n")
    done = helm("template", "firenet", str(CHART), "--kube-version=1.34.0", f"--values={values}")
    assert done.returncode == 0, done.stderr
    rendered = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    settings = next(environment(one) for name, one, _ in containers(rendered) if name == "firenet-ingest/ingest")
    assert (settings["INGEST_MQTT_HOLD_BYTES"], settings["INGEST_DRAIN_S"]) == ("134217728", "2.5")


def test_no_message_and_no_fire_waits_for_a_database_that_is_away(manifests: list[Manifest]) -> None:
    first = {name: pod["spec"].get("initContainers", []) for name, pod in pods(manifests)}
    assert first["firenet-ingest"] == []
    assert [one["name"] for one in first["firenet-mqtt"]] == ["certificate"]
    assert first["firenet-alerts-fire"][0]["args"][-2:] == ["--unanswered", "3"]
    assert all("--unanswered" not in one["args"] for one in first["firenet-alerts"])


def test_an_upgrade_that_cannot_prepare_changes_nothing() -> None:
    """The Job comes before all that changes; at an installation there is nothing yet that it could come before."""
    of = {upgrade: list(of_kind(template(upgrade=upgrade), "Job")) for upgrade in (False, True)}
    assert [one["metadata"].get("annotations", {}).get("helm.sh/hook") for one in of[False]] == [None]
    assert [one["metadata"]["annotations"]["helm.sh/hook"] for one in of[True]] == ["pre-upgrade"]
    other = next(of_kind(template("image.tag=0.2.0"), "Job"))
    assert named(other) != named(of[False][0]), "a Job cannot be changed: another release has another"
    single = {named(one): one["spec"]["podManagementPolicy"] for one in of_kind(template(), "StatefulSet")}
    assert single == {"firenet-compliance": "Parallel", "firenet-mqtt": "Parallel"}, "or no rollback replaces them"
