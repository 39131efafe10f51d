"""What of the store may expire, in deploy/minio/init.py and in the rules that the documentation gives for other S3."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from deploy.minio.init import EXPIRING, expiring, rule_name
from services.common.serving.memory import COSTS
from tests.deploy.rendering import DEPLOY, render


def test_what_services_write_may_expire_but_for_the_records_of_evaluations() -> None:
    written = set()
    for path in (DEPLOY / "minio" / "policies").glob("*.json"):
        written |= set(re.findall(r"arn:aws:s3:::\$\{bucket\}/(results/[^*\"]+/|inputs/)\*", path.read_text()))
    assert written == {*expiring(dict.fromkeys(EXPIRING, 1)), "results/evaluations/"}


def test_whatever_is_computed_may_expire() -> None:
    stored = {operation for operation in COSTS if operation != "generate-whole"}  # a way to generate, stored alike
    assert stored == set(EXPIRING["results"])


def test_what_an_overlay_says_of_expiry_reaches_the_set_up(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    local = tmp_path / "deploy" / "k8s" / "overlays" / "local"
    kustomization = local / "kustomization.yaml"
    text = kustomization.read_text()
    kustomization.write_text(text.replace("    literals:\n", "    literals:\n      - BIOSYNTH_EXPIRE_INPUTS_DAYS=7\n"))
    objects = render(local)
    [settings] = [found for found in objects if found["metadata"]["name"].startswith("biosynth-settings")]
    assert settings["data"]["BIOSYNTH_EXPIRE_INPUTS_DAYS"] == "7"
    [setup] = [found for found in objects if found["metadata"]["name"] == "store-setup" and found["kind"] == "Job"]
    [container] = setup["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    assert "--expire-inputs" not in container["args"]  # which would take its place


def test_the_rules_of_the_documentation_are_those_of_the_script() -> None:
    page = (DEPLOY.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert json.loads(shown) == {
        "Rules": [
            {"ID": rule_name(prefix), "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}}
            for prefix, days in expiring({"results": 90, "inputs": 30}).items()
        ]
    }
