"""Who can reach a deployment, and what its pods may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.orders import WITH_STORE_USER
from tests.deploy.rendering import (
    OVERLAYS,
    SERVICES,
    Object,
    containers,
    environment,
    of_kind,
    overlay,
    pods,
    production_with,
    services_in,
    settings,
)

on_every_overlay = pytest.mark.parametrize("name", OVERLAYS)
SECRETS = {"biosynth-tls", "biosynth-token", "biosynth-store-models"} | {
    f"biosynth-store-{service}" for service in SERVICES
}
# Of MinIO's set-up, which makes every user.
MINIO_SECRETS = {f"biosynth-store-{user}" for user in ("root", *WITH_STORE_USER)}


@on_every_overlay
def test_the_namespace_enforces_restricted_pods(name: str) -> None:
    labels = of_kind(overlay(name), "Namespace")["biosynth"]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


@on_every_overlay
def test_every_container_in_it_is_restricted_and_cannot_write_to_its_root(name: str) -> None:
    inside = [found for found in overlay(name) if found["metadata"].get("namespace") == "biosynth"]
    for _, pod in pods(inside):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not any("hostPath" in volume for volume in pod["volumes"])
    for where, container in containers(inside):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and context["allowPrivilegeEscalation"] is False, where
        assert context["capabilities"] == {"drop": ["ALL"]}, where


def test_root_is_asked_for_by_one_job_of_the_local_overlay_only() -> None:
    outside = {
        name: [
            found["metadata"]["name"]
            for found, _ in pods(overlay(name))
            if found["metadata"]["namespace"] != "biosynth"
        ]
        for name in OVERLAYS
    }
    assert outside == {"local": ["prepare-volume"], "production": []}


@on_every_overlay
def test_services_ask_for_tls_and_token_and_list_no_methods(name: str) -> None:
    assert "BIOSYNTH_REFLECTION" not in settings(overlay(name))
    for where, container in services_in(overlay(name)):
        variables = environment(container)
        assert variables["BIOSYNTH_REQUIRE_AUTH"] == "true", where
        assert {"BIOSYNTH_TLS_CERT_FILE", "BIOSYNTH_TLS_KEY_FILE", "BIOSYNTH_TOKEN_FILE"} <= variables.keys(), where
        assert "BIOSYNTH_REFLECTION" not in variables, where


def test_mutual_tls_is_asked_of_every_client_and_shown_by_the_pipeline(tmp_path: Path) -> None:
    for where, container in services_in(production_with("mtls", tmp_path)):
        assert environment(container)["BIOSYNTH_TLS_CLIENT_CA_FILE"] == "/run/secrets/tls/ca.crt", where
    gateway = of_kind(production_with("mtls", tmp_path), "Deployment")["gateway"]["spec"]["template"]["spec"]
    assert environment(gateway["containers"][0])["GATEWAY_VERIFY_CLIENT"] == "on"
    variables = environment(dict(services_in(production_with("mtls", tmp_path)))["pipeline"])
    assert {"BIOSYNTH_ENDPOINT_CERT_FILE", "BIOSYNTH_ENDPOINT_KEY_FILE"} <= variables.keys()


@on_every_overlay
def test_no_secret_is_in_git_and_those_asked_for_are_the_ones_that_are_made(name: str) -> None:
    assert not of_kind(overlay(name), "Secret")
    assert asked_for(overlay(name)) == (SECRETS | MINIO_SECRETS if name == "local" else SECRETS)


@on_every_overlay
def test_each_service_has_the_store_user_of_its_name(name: str) -> None:
    for workload, pod in pods(overlay(name)):
        if (service := workload["metadata"]["name"]) in SERVICES:
            assert {volume["name"]: volume for volume in pod["volumes"]}["store"]["secret"] == {
                "secretName": f"biosynth-store-{service}"
            }


def asked_for(objects: list[Object]) -> set[str]:
    """The Secrets that pods mount."""
    volumes = [volume for _, pod in pods(objects) for volume in pod["volumes"]]
    projected = [source for volume in volumes for source in volume.get("projected", {}).get("sources", [])]
    return {volume["secret"]["secretName"] for volume in volumes if "secret" in volume} | {
        source["secret"]["name"] for source in projected if "secret" in source
    }


def test_in_production_nothing_comes_in_but_what_is_let_in() -> None:
    policies = {name: found["spec"] for name, found in of_kind(overlay("production"), "NetworkPolicy").items()}
    assert policies["closed"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    open_to_all = [
        name for name, spec in policies.items() if any("from" not in rule for rule in spec.get("ingress", []))
    ]
    assert open_to_all == ["callers"]
    assert policies["callers"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "gateway"}}
    (inside,) = policies["services"]["ingress"]
    assert [one["podSelector"]["matchExpressions"][0]["values"] for one in inside["from"]] == [["gateway", "pipeline"]]
    let_in = {port["port"] for spec in policies.values() for rule in spec.get("ingress", []) for port in rule["ports"]}
    assert let_in == {50051, 9464, 9000}  # health is the kubelet's, which the node always lets in
