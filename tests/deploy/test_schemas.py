"""Every object that we render is one that Kubernetes 1.34 knows, field by field."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # shipped without types
import kubernetes_validate  # type: ignore[import-untyped]  # shipped without types
import pytest

from tests.deploy.rendering import K8S, OVERLAYS, SERVICES, Object, overlay, production_with, render

KUBERNETES = "1.34"
CUSTOM = {
    kind: json.loads((Path(__file__).parent / f"{kind.lower()}.schema.json").read_text())
    for kind in ("ServiceMonitor", "PrometheusRule", "GRPCRoute", "BackendTLSPolicy")
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid(name: str) -> None:
    check(overlay(name))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_builds_alone_and_is_valid(service: str) -> None:
    objects = render(K8S / "base" / service)
    check(objects)
    assert {found["metadata"]["name"] for found in objects} == {service}


@pytest.mark.parametrize("component", ["mtls", "monitoring", "gateway-api"])
def test_an_option_is_valid_on_production(component: str, tmp_path: Path) -> None:
    check(production_with(component, tmp_path))


def test_a_misspelt_field_is_noticed() -> None:
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIp": "None"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check([service])


def check(objects: list[Object]) -> None:
    assert objects
    for found in objects:
        if found["kind"] in CUSTOM:
            jsonschema.validate(found, CUSTOM[found["kind"]])
        else:
            kubernetes_validate.validate(found, KUBERNETES, strict=True)
