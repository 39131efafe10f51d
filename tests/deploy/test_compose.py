"""What compose.yaml promises, read without a Docker engine."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import DEPLOY, SERVICES

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
each_container = pytest.mark.parametrize("name", COMPOSE)


@each_container
def test_a_container_cannot_write_to_its_root_nor_gain_rights(name: str) -> None:
    container = COMPOSE[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container


@each_container
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name].get("ports", []))


def test_callers_reach_the_services_by_the_gateway_alone() -> None:
    assert not [name for name in SERVICES if "ports" in COMPOSE[name]]
    assert COMPOSE["gateway"]["ports"] == ["127.0.0.1:${BIOSYNTH_PORT:-50051}:50051"]


def test_the_gateway_is_checked_and_asks_for_certificates_where_services_do() -> None:
    assert "/healthz" in COMPOSE["gateway"]["healthcheck"]["test"][-1]
    mutual = yaml.safe_load((DEPLOY / "compose.mtls.yaml").read_text())["services"]
    assert mutual["gateway"]["environment"] == {"GATEWAY_VERIFY_CLIENT": "on"}


@each_container
def test_secrets_come_from_files_that_are_mounted_read_only(name: str) -> None:
    environment = COMPOSE[name].get("environment", {})
    assert not [key for key in environment if re.search("SECRET|PASSWORD|TOKEN", key) and not key.endswith("_FILE")]
    mounted = [volume for volume in COMPOSE[name].get("volumes", []) if "/run/secrets" in volume]
    assert all(volume.endswith(":ro") for volume in mounted)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_tls_token_its_own_store_user_and_a_health_check(name: str) -> None:
    container = COMPOSE[name]
    assert container["environment"]["BIOSYNTH_REQUIRE_AUTH"] == "true"
    assert "BIOSYNTH_REFLECTION" not in container["environment"]
    users = re.findall(r"/store-(\w+):/run/secrets/store:ro", " ".join(container["volumes"]))
    assert users == [name]
    assert container["healthcheck"]["test"][-1] == "services.common.serving.probe"
