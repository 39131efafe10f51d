"""How the five services start, are found, and end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.generation.model import SHIPPED, ModelShelf
from tests.deploy.rendering import (
    DEPLOY,
    OVERLAYS,
    SERVICES,
    containers,
    environment,
    of_kind,
    overlay,
    pods,
    production_with,
    services_in,
)

NGINX = (DEPLOY / "gateway" / "nginx.conf").read_text()
GATEWAY_DRAIN_SECONDS = re.findall(r"worker_shutdown_timeout (\d+)s;", NGINX)[0]
on_every_overlay = pytest.mark.parametrize("name", OVERLAYS)


@on_every_overlay
def test_every_container_states_what_it_needs_and_at_most_takes(name: str) -> None:
    for where, container in containers(overlay(name)):
        for side in ("requests", "limits"):
            assert {"cpu", "memory"} <= container["resources"][side].keys(), where


@on_every_overlay
def test_a_container_that_ends_says_why_in_its_status(name: str) -> None:
    for where, container in containers(overlay(name)):
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", where


@on_every_overlay
def test_every_server_has_all_three_probes(name: str) -> None:
    for where, container in containers([found for found in overlay(name) if found["kind"] != "Job"]):
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), where


@on_every_overlay
def test_a_service_is_probed_where_health_is_spoken_without_tls(name: str) -> None:
    for where, container in services_in(overlay(name)):
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == ports["health"] != ports["grpc"], where


@on_every_overlay
def test_a_start_may_take_longer_than_it_waits_for_the_store(name: str) -> None:
    for where, container in services_in(overlay(name)):
        probe = container["startupProbe"]
        waits = float(environment(container)["BIOSYNTH_START_WAIT_SECONDS"])
        assert probe["periodSeconds"] * probe["failureThreshold"] >= max(300, 2 * waits), where


@on_every_overlay
def test_a_pod_has_time_to_leave_dns_and_to_drain(name: str) -> None:
    for workload, pod in pods(overlay(name)):
        if workload["kind"] == "Deployment":
            (container,) = pod["containers"]
            drain = float(environment(container).get("BIOSYNTH_DRAIN_SECONDS", GATEWAY_DRAIN_SECONDS))
            sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert pod["terminationGracePeriodSeconds"] > drain + sleep > drain > 0, workload["metadata"]["name"]


@on_every_overlay
def test_all_services_are_headless_so_that_clients_balance(name: str) -> None:
    found = of_kind(overlay(name), "Service")
    assert {*SERVICES} <= found.keys()
    assert {name for name, service in found.items() if service["spec"].get("clusterIP") != "None"} == {"gateway"}
    assert not any("publishNotReadyAddresses" in service["spec"] for service in found.values())


@on_every_overlay
def test_the_gateway_knows_the_services_by_their_whole_names(name: str) -> None:
    gateway = of_kind(overlay(name), "Deployment")["gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert environment(gateway)["GATEWAY_SUFFIX"] == ".biosynth.svc.cluster.local:50051"
    routes = re.findall(r"~\^/biosynth\\.v1\\.(\w+)Service/ (\w+);", NGINX)
    assert {route for _, route in routes} == {*SERVICES}
    assert all(service.lower() == route for service, route in routes)


def test_a_gateway_of_the_clusters_own_sends_each_service_its_calls(tmp_path: Path) -> None:
    objects = production_with("gateway-api", tmp_path)
    (route,) = of_kind(objects, "GRPCRoute").values()
    sent = {
        rule["matches"][0]["method"]["service"]: (backend["name"], backend["port"])
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    }
    assert sent == {f"biosynth.v1.{name.capitalize()}Service": (name, 50051) for name in SERVICES}
    policies = of_kind(objects, "BackendTLSPolicy")
    assert {policy["spec"]["targetRefs"][0]["name"] for policy in policies.values()} == {*SERVICES}
    assert all(policy["spec"]["validation"]["hostname"] == name for name, policy in policies.items())


@on_every_overlay
def test_the_pipeline_calls_services_that_are_there(name: str) -> None:
    variables = environment(dict(services_in(overlay(name)))["pipeline"])
    for service in ("segmentation", "reference", "generation"):
        assert variables[f"BIOSYNTH_{service.upper()}_ENDPOINT"] == f"dns:///{service}:50051"
        assert service in of_kind(overlay(name), "Service")


def test_one_monitor_finds_the_metrics_of_all_five_services(tmp_path: Path) -> None:
    objects = production_with("monitoring", tmp_path)
    (monitor,) = of_kind(objects, "ServiceMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = {
        name: service
        for name, service in of_kind(objects, "Service").items()
        if wanted <= service["metadata"]["labels"].items()
    }
    assert found.keys() == {*SERVICES}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert all(endpoint["port"] in {port["name"] for port in service["spec"]["ports"]} for service in found.values())


@on_every_overlay
def test_the_generator_waits_for_every_shipped_model(name: str) -> None:
    shipped = sorted(model.description.name for model in ModelShelf(SHIPPED).list())
    assert environment(dict(services_in(overlay(name)))["generation"])["BIOSYNTH_MODELS_REQUIRED"].split(",") == shipped
