"""Indexed Jobs, as their READMEs show them on the production overlay."""

from __future__ import annotations

import json
import re

import pytest

from tests.deploy.orders import ORDERS, WITH_STORE_USER, container_of, job_of, order, settings_of
from tests.deploy.rendering import DEPLOY, K8S, Object, containers, of_kind, overlay, pods
from tests.deploy.test_schemas import check
from tests.deploy.test_security import asked_for

each_order = pytest.mark.parametrize("component", ORDERS)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Object]]:
    return {component: order(component, tmp_path_factory.mktemp(component)) for component in ORDERS}


@each_order
def test_the_example_of_the_readme_is_valid(orders: dict[str, list[Object]], component: str) -> None:
    check(orders[component])


@each_order
def test_the_label_of_the_readme_chooses_all_that_the_order_adds(
    orders: dict[str, list[Object]], component: str
) -> None:
    (label,) = re.findall(
        r"--selector app.kubernetes.io/name=(\S+)", (K8S / "components" / component / "README.md").read_text()
    )
    before = {(found["kind"], found["metadata"]["name"]) for found in overlay("production")}
    added = [found for found in orders[component] if (found["kind"], found["metadata"]["name"]) not in before]
    chosen = [
        found
        for found in orders[component]
        if found["metadata"].get("labels", {}).get("app.kubernetes.io/name") == label
    ]
    assert len(added) >= 2
    assert chosen == added


@each_order
def test_an_order_is_tried_again_but_for_what_would_end_the_same(
    orders: dict[str, list[Object]], component: str
) -> None:
    spec = job_of(orders[component], component)["spec"]
    assert spec["completionMode"] == "Indexed" and spec["backoffLimitPerIndex"] >= 3
    drained, refused = spec["podFailurePolicy"]["rules"]
    assert drained["action"] == "Ignore" and drained["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert refused["action"] == "FailIndex" and refused["onExitCodes"]["values"] == [2, 3]
    assert refused["onExitCodes"]["containerName"] == container_of(orders[component], component)["name"]


@each_order
def test_a_pod_of_an_order_is_restricted(orders: dict[str, list[Object]], component: str) -> None:
    job = [job_of(orders[component], component)]
    for _, pod in pods(job):
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        assert pod["restartPolicy"] == "Never"
    for where, container in containers(job):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and context["allowPrivilegeEscalation"] is False, where
        assert context["capabilities"] == {"drop": ["ALL"]}, where
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), where


@each_order
def test_there_are_as_many_indexes_as_the_order_says(orders: dict[str, list[Object]], component: str) -> None:
    names = {"bulk-generation": "SHARDS", "evaluation-job": "EVALUATIONS", "training": "NODES"}
    spec = job_of(orders[component], component)["spec"]
    settings = settings_of(orders[component], component)
    assert spec["completions"] == int(settings[names[component]]) > 1
    if component == "evaluation-job":
        lines = [line for line in settings["evaluations.txt"].splitlines() if not line.startswith("#")]
        assert spec["completions"] == len(lines)
    else:
        assert spec["parallelism"] == spec["completions"]


def test_the_store_users_of_orders_have_policies_and_no_other_secret_is_asked_for(
    orders: dict[str, list[Object]],
) -> None:
    asked = {component: asked_for([job_of(orders[component], component)]) for component in ORDERS}
    assert asked == {
        "bulk-generation": {"biosynth-tls", "biosynth-token", "biosynth-store-bulk-generation"},
        "evaluation-job": {"biosynth-store-evaluation-job"},
        "training": set(),
    }
    for component in WITH_STORE_USER:
        assert json.loads((DEPLOY / "minio" / "policies" / f"{component}.json").read_text())["Statement"]


def test_the_images_of_an_order_are_those_that_were_pushed(orders: dict[str, list[Object]]) -> None:
    for component in ORDERS:
        for where, container in containers(orders[component]):
            pushed = (
                container["image"].startswith("registry.example.org/")
                if where.startswith("Job training")
                else ("@sha256:" in container["image"])
            )
            assert pushed, where


def test_the_pods_of_a_training_find_and_reach_the_first(orders: dict[str, list[Object]]) -> None:
    objects = orders["training"]
    job, service = job_of(objects, "training"), of_kind(objects, "Service")["training"]
    template = job["spec"]["template"]
    # A pod of an Indexed Job is called by the Job's name and its index, below the Service of its subdomain.
    first = f"{job['metadata']['name']}-0.{template['spec']['subdomain']}"
    (script,) = container_of(objects, "training")["args"]
    assert f"--master-addr {first} " in script and template["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert f"--master-port {service['spec']['ports'][0]['port']} " in script
    policy = of_kind(objects, "NetworkPolicy")["training"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (rule,) = policy["ingress"]
    assert rule == {"from": [{"podSelector": policy["podSelector"]}]}  # every port: gloo chooses its own
