"""Overlays with each option alone, with all but one, and with all, are built, valid and without a loose end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.combinations import combined, components_of, options_of
from tests.deploy.rendering import OVERLAYS, Object, containers, environment, of_kind, pods
from tests.deploy.test_schemas import check

ALONE = [(option,) for option in options_of("production")]
# Of two that do the same, one.
WHOLE = tuple(option for option in options_of("production") if option not in ("autoscaling-hpa", "gateway-api"))
WITHOUT = [tuple(option for option in WHOLE if option != left_out) for left_out in WHOLE]
each_combination = pytest.mark.parametrize("components", [*ALONE, *WITHOUT, WHOLE], ids="+".join)


@each_combination
def test_a_combination_on_production_is_valid_and_whole(components: tuple[str, ...], tmp_path: Path) -> None:
    objects = combined("production", components, tmp_path)
    check(objects)
    check_references(objects)
    for where, container in containers(objects):
        if not where.startswith("Job training") and container["name"] != "minio":  # images that pin.sh does not know
            assert "@sha256:" in container["image"], where


def test_local_with_every_option_is_valid_and_whole(tmp_path: Path) -> None:
    objects = combined("local", [option for option in WHOLE if option not in components_of("local")], tmp_path)
    check(objects)
    check_references(objects)


@pytest.mark.parametrize("name", OVERLAYS)
def test_under_mutual_tls_every_caller_shows_a_certificate(name: str, tmp_path: Path) -> None:
    objects = combined(name, ["mtls", "bulk-generation"], tmp_path)
    workloads = of_kind(objects, "Deployment", "Job")
    for caller in ("pipeline", "bulk-generation"):
        pod = workloads[caller]["spec"]["template"]["spec"]
        variables = environment(pod["containers"][0])
        assert variables["BIOSYNTH_ENDPOINT_CERT_FILE"] == "/run/secrets/tls/tls.crt", caller
        (secret,) = (volume["secret"] for volume in pod["volumes"] if volume["name"] == "tls")
        mounted = {item["path"] for item in secret.get("items", [])} or {"ca.crt", "tls.crt", "tls.key"}
        assert mounted == {"ca.crt", "tls.crt", "tls.key"}, caller


def check_references(objects: list[Object]) -> None:
    """Raise AssertionError where an object is there twice, or a pod names one that is not there."""
    names = [(found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"]) for found in objects]
    assert len(names) == len(set(names))
    for workload, pod in pods(objects):
        where = workload["metadata"]["name"]
        maps = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
        for container in pod["containers"]:
            maps += [one["configMapRef"]["name"] for one in container.get("envFrom", [])]
            volumes = {volume["name"] for volume in pod["volumes"]} | _claimed(workload)
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes, where
        assert set(maps) <= of_kind(objects, "ConfigMap").keys(), where
        claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
        known = of_kind(objects, "PersistentVolumeClaim").keys()
        assert {claim["claimName"] for claim in claims} <= known, where
        assert {pod.get("priorityClassName")} - {None} <= of_kind(objects, "PriorityClass").keys(), where


def _claimed(workload: Object) -> set[str]:
    """Volumes that a StatefulSet claims for its pods."""
    return {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
