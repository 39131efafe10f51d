"""What an overlay is made of: GPUs, models, images, replicas."""

from __future__ import annotations

import re

import pytest

from tests.deploy.orders import WITH_STORE_USER
from tests.deploy.rendering import (
    DEPLOY,
    OVERLAYS,
    SERVICES,
    containers,
    environment,
    of_kind,
    overlay,
    services_in,
    settings,
)

on_every_overlay = pytest.mark.parametrize("name", OVERLAYS)


@on_every_overlay
def test_generation_alone_asks_for_a_gpu_and_waits_for_no_second_one(name: str) -> None:
    asking = [
        where for where, container in containers(overlay(name)) if "nvidia.com/gpu" in container["resources"]["limits"]
    ]
    assert asking == ["Deployment generation, container service"]
    spec = of_kind(overlay(name), "Deployment")["generation"]["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    assert "replicas" not in spec  # an autoscaler's, or a patch's: applying the overlay again leaves them
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in spec["template"]["spec"][
        "tolerations"
    ]


@on_every_overlay
def test_generators_are_scheduled_before_jobs_evict_nobody_and_spread_over_nodes(name: str) -> None:
    pod = of_kind(overlay(name), "Deployment")["generation"]["spec"]["template"]["spec"]
    priority = of_kind(overlay(name), "PriorityClass")[pod["priorityClassName"]]
    assert priority["value"] > 0 and priority["preemptionPolicy"] == "Never"
    (spread,) = pod["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname" and spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]} >= {"/dev/shm"}  # noqa: S108 - of a pod


@on_every_overlay
def test_a_gpu_is_preferred_by_labels_that_sharing_does_not_change(name: str) -> None:
    node = of_kind(overlay(name), "Deployment")["generation"]["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    assert node.keys() == {"preferredDuringSchedulingIgnoredDuringExecution"}  # nodes without labels will do
    labels = [
        expression["key"]
        for one in node["preferredDuringSchedulingIgnoredDuringExecution"]
        for expression in one["preference"]["matchExpressions"]
    ]
    assert labels == ["nvidia.com/gpu.memory", "nvidia.com/gpu.family"]


@on_every_overlay
def test_generation_takes_its_models_from_the_store_and_a_job_puts_them_there(name: str) -> None:
    variables = environment(dict(services_in(overlay(name)))["generation"])
    assert variables["BIOSYNTH_MODELS_FROM"] == "store"
    assert variables["BIOSYNTH_DEVICE"] == {"local": "cpu", "production": "cuda"}[name]
    assert "push-models" in of_kind(overlay(name), "Job")


@on_every_overlay
def test_jobs_make_room_for_those_of_the_next_deployment(name: str) -> None:
    for job in of_kind(overlay(name), "Job").values():
        assert job["spec"]["ttlSecondsAfterFinished"] <= 3600
        assert job["metadata"]["labels"]["app.kubernetes.io/component"] == "setup"


def test_the_set_up_job_has_every_policy() -> None:
    policies = {path.name for path in (DEPLOY / "minio" / "policies").glob("*.json")}
    (found,) = (one for name, one in of_kind(overlay("local"), "ConfigMap").items() if name.startswith("store-setup"))
    assert found["data"].keys() == policies | {"init.py"}
    assert policies == {f"{user}.json" for user in (*SERVICES, "models", *WITH_STORE_USER)}


def test_local_images_are_all_of_this_version() -> None:
    project = (DEPLOY.parent / "pyproject.toml").read_text()
    for where, container in containers(overlay("local")):
        tag = container["image"].partition(":")[2]
        assert tag and f'version = "{tag}"' in project, f"{where}: {container['image']}"


def test_the_local_overlay_fits_a_node_of_two_cores() -> None:
    requests = [container["resources"]["requests"]["cpu"] for _, container in containers(overlay("local"))]
    assert sum(int(request.removesuffix("m")) for request in requests) <= 1500


def test_production_images_are_all_named_by_digest() -> None:
    for where, container in containers(overlay("production")):
        assert "@sha256:" in container["image"], f"{where}: {container['image']}"


def test_production_names_no_store_of_its_own() -> None:
    values = settings(overlay("production"))
    assert values.pop("BIOSYNTH_STORE") == "s3"
    assert set(values.values()) == {""}, "a value here would be somebody's store"


def test_production_keeps_a_replica_while_a_node_is_drained() -> None:
    deployments = of_kind(overlay("production"), "Deployment")
    budgets = of_kind(overlay("production"), "PodDisruptionBudget")
    assert deployments.keys() == budgets.keys()
    assert {name for name, found in deployments.items() if found["spec"].get("replicas") != 2} == {"generation"}
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets.values())  # never in a drain's way for ever
    for name, budget in budgets.items():
        assert (
            budget["spec"]["selector"]["matchLabels"].items()
            <= deployments[name]["spec"]["selector"]["matchLabels"].items()
        )


def test_a_production_update_gives_clients_time_to_find_new_pods() -> None:
    for name, deployment in of_kind(overlay("production"), "Deployment").items():
        # What gRPC waits between two lookups of a name, and how long cluster DNS may keep one.
        assert deployment["spec"]["minReadySeconds"] >= 30, name


@on_every_overlay
def test_clients_that_are_connected_find_a_new_replica_within_half_a_minute(name: str) -> None:
    for service, container in services_in(overlay(name)):
        # gRPC adds up to a tenth to a connection's age, and the answer of cluster DNS may be 5 seconds old or more.
        assert 1.1 * float(environment(container)["BIOSYNTH_CONNECTION_AGE_SECONDS"]) + 5 <= 30, service


def test_the_guide_pushes_the_images_that_the_overlay_names() -> None:
    (pushed,) = re.findall(r"for name in (.*); do", (DEPLOY.parent / "docs" / "deploy.md").read_text())
    images = {container["image"].partition("@")[0] for _, container in containers(overlay("production"))}
    assert {image.rpartition("/")[2] for image in images} == set(pushed.split())
