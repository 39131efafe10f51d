"""The diagram of docs/architecture.md is the code's."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from biosynth.connections import SERVICES

from services.common.serving.config import EndpointsConfig

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ARROWS = {
    (source, target)
    for sources, targets in re.findall(r"^  ([\w &]+?) -->(?:\|[^|]*\|)? ([\w &]+)", PAGE, re.MULTILINE)
    for source in sources.split(" & ")
    for target in targets.split(" & ")
}


def test_the_pipeline_calls_the_services_that_it_has_endpoints_for() -> None:
    endpoints = {field.name for field in fields(EndpointsConfig)} - {"caller"}
    assert {target for source, target in ARROWS if source == "pipeline"} == {*endpoints, "store"}


def test_the_gateway_leads_to_every_service_and_each_has_its_own_user_of_the_store() -> None:
    assert {target for source, target in ARROWS if source == "gateway"} == set(SERVICES)
    users = {path.stem for path in (ROOT / "deploy" / "minio" / "policies").glob("*.json")}
    for service in SERVICES:
        assert (service, "store") in ARROWS
        assert service in users


def test_every_prefix_that_may_be_named_or_written_is_explained() -> None:
    policies = "".join(path.read_text() for path in (ROOT / "deploy" / "minio" / "policies").glob("*.json"))
    written = {f"{prefix}/" for prefix in re.findall(r"\$\{bucket\}/([a-z]+)/", policies)}
    assert written <= set(re.findall(r"`([a-z]+/)`", PAGE))
