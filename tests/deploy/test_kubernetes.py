"""The Kubernetes manifests: sound by the published schemas, and in agreement with each other and with the server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from manifests import ALL, FILES, FOLDER, Manifest, container, one, pod

from darkroom.config import SHORTEST_KEY
from darkroom.metrics import REGISTRY

OLDEST = "1.29"  # version of Kubernetes that the manifests are for
NEWEST = kubernetes_validate.latest_version()
CUSTOM = {  # kinds that operators bring, with the fields of their definitions that we use
    "ServiceMonitor": ("monitoring.coreos.com/v1", "selector endpoints"),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        "scaleTargetRef minReplicaCount maxReplicaCount pollingInterval fallback advanced triggers",
    ),
}
ENDPOINT = "port path interval scrapeTimeout authorization"
DEPLOYMENTS = ("api", "worker")


def name_of(found: object) -> str | None:
    return f"{found['kind']}-{found['metadata']['name']}" if isinstance(found, dict) else None


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", [found for _, found in ALL if found["kind"] not in CUSTOM], ids=name_of)
def test_a_manifest_is_sound_by_its_schema(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("manifest", [found for _, found in ALL if found["kind"] in CUSTOM], ids=name_of)
def test_a_manifest_for_an_operator_has_only_fields_that_it_knows(manifest: Manifest) -> None:
    version, fields = CUSTOM[manifest["kind"]]
    assert manifest["apiVersion"] == version
    assert set(manifest["spec"]) == set(fields.split())
    for endpoint in manifest["spec"].get("endpoints", ()):
        assert set(endpoint) == set(ENDPOINT.split())


def test_the_folders_name_every_file_but_the_secrets() -> None:
    named: set[Path] = set()
    for path in FOLDER.rglob("kustomization.yaml"):
        named |= {path.parent / resource for resource in yaml.safe_load(path.read_text("utf-8"))["resources"]}
    assert named == set(FILES) - {FOLDER / "secret.example.yaml"}


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "monitoring", FOLDER / "autoscaling"], ids=lambda each: each.name)
def test_kustomize_builds_them(folder: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert all(found["metadata"]["namespace"] == "darkroom" for found in built)
    assert "image: darkroom\n" not in done.stdout


def selected(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_each_selector_finds_its_pods_and_no_others() -> None:
    labels = {name: one("Deployment", name)["spec"]["template"]["metadata"]["labels"] for name in DEPLOYMENTS}
    api = {
        "Deployment": one("Deployment", "api")["spec"]["selector"]["matchLabels"],
        "Service": one("Service", "api")["spec"]["selector"],
        "PodDisruptionBudget": one("PodDisruptionBudget", "api")["spec"]["selector"]["matchLabels"],
        "spread": pod("api")["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    }
    for selector in api.values():
        assert selected(selector, labels["api"])
        assert not selected(selector, labels["worker"])
    worker = one("Deployment", "worker")["spec"]["selector"]["matchLabels"]
    assert selected(worker, labels["worker"])
    assert not selected(worker, labels["api"])
    monitored = one("ServiceMonitor", "darkroom")["spec"]["selector"]["matchLabels"]
    assert selected(monitored, one("Service", "api")["metadata"]["labels"])


def test_every_name_leads_to_something() -> None:
    ports = {port["name"] for port in container("api")["ports"]}
    (served,) = one("Service", "api")["spec"]["ports"]
    assert served["targetPort"] in ports
    (rule,) = one("Ingress", "api")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "api", "port": {"name": served["name"]}}
    (endpoint,) = one("ServiceMonitor", "darkroom")["spec"]["endpoints"]
    assert endpoint["port"] == served["name"]
    key = endpoint["authorization"]["credentials"]
    assert len(one("Secret", key["name"])["stringData"][key["key"]]) >= SHORTEST_KEY
    assert one("ScaledObject", "worker")["spec"]["scaleTargetRef"]["name"] == "worker"
    for name in DEPLOYMENTS:
        for source in container(name)["envFrom"]:
            for kind, reference in source.items():
                assert one({"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"])
        volumes = {volume["name"] for volume in pod(name)["volumes"]}
        assert {mount["name"] for mount in container(name)["volumeMounts"]} == volumes


def test_workers_ask_the_service_and_callers_the_way_in() -> None:
    (server,) = (each["value"] for each in container("worker")["env"] if each["name"] == "DARKROOM_SERVER")
    (port,) = one("Service", server.removeprefix("http://"))["spec"]["ports"]
    assert port["port"] == 80
    public = one("ConfigMap", "darkroom-settings")["data"]["DARKROOM_PUBLIC_URL"]
    assert public == f"https://{one('Ingress', 'api')['spec']['rules'][0]['host']}"


def test_probes_ask_what_they_should() -> None:
    api = container("api")
    paths = {kind: api[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert not [name for name in container("worker") if name.endswith("Probe")]  # it answers no requests


def test_a_server_that_stops_is_noticed_before_it_stops_answering_and_has_time_for_it() -> None:
    drain = float(one("ConfigMap", "darkroom-settings")["data"]["DARKROOM_DRAIN_SECONDS"])
    probe = container("api")["readinessProbe"]
    assert drain > probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert pod("api")["terminationGracePeriodSeconds"] > drain + 10


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_have_no_rights_that_they_do_not_need(name: str) -> None:
    assert pod(name)["securityContext"]["runAsNonRoot"]
    assert pod(name)["securityContext"]["runAsUser"] == 10001  # the image's
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["enableServiceLinks"] is False
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container(name)["volumeMounts"]} == {"/data", "/tmp"}


def test_the_number_of_workers_follows_series_that_there_are() -> None:
    series = {metric.name for metric in REGISTRY.collect()}
    (trigger,) = one("ScaledObject", "worker")["spec"]["triggers"]
    read = set(re.findall(r"darkroom_\w+", trigger["metadata"]["query"]))
    assert read == {"darkroom_queue_tasks", "darkroom_running_tasks"}
    assert read <= series
    numbers: dict[str, Any] = one("ScaledObject", "worker")["spec"]
    assert numbers["minReplicaCount"] <= numbers["fallback"]["replicas"] <= numbers["maxReplicaCount"]
