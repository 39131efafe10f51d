"""Every object that we render is one that Kubernetes 1.34 knows, field by field."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # shipped without types
import kubernetes_validate  # type: ignore[import-untyped]  # shipped without types
import pytest

from tests.deploy.rendering import K8S, OVERLAYS, SERVICES, Object, overlay, render

KUBERNETES = "1.34"
# Kinds that Kubernetes itself does not know, each in a file that says whose they are.
CUSTOM = {
    schema["properties"]["kind"]["const"]: schema
    for schema in (json.loads(path.read_text()) for path in Path(__file__).parent.glob("*.schema.json"))
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid(name: str) -> None:
    check(overlay(name))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_builds_alone_and_is_valid(service: str) -> None:
    objects = render(K8S / "base" / service)
    check(objects)
    assert {found["metadata"]["name"] for found in objects} == {service}


def test_a_misspelt_field_is_noticed() -> None:
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIp": "None"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check([service])


def check(objects: list[Object]) -> None:
    """Raise what the validator raises for an object that is not valid."""
    assert objects
    for found in objects:
        _check(json.dumps(found, sort_keys=True))


@functools.cache  # combinations of components have most objects in common
def _check(text: str) -> None:
    found: Object = json.loads(text)
    if found["kind"] in CUSTOM:
        jsonschema.validate(found, CUSTOM[found["kind"]])
    else:
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
