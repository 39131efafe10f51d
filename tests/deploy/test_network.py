"""Who reaches whom under the component `network`, reckoned from policies and labels as Kubernetes defines it."""

from __future__ import annotations

import pytest

from tests.deploy.combinations import combined
from tests.deploy.orders import ORDERS, WITH_STORE_USER
from tests.deploy.rendering import SERVICES, Object, of_kind, overlay

OUTSIDE = "monitoring"  # another namespace


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """Production with MinIO and every order."""
    return combined("production", ["minio", *ORDERS], tmp_path_factory.mktemp("everything"))


def reaches(objects: list[Object], source: str, target: str, port: int) -> bool:
    """Whether a pod, named by its workload or by a foreign namespace, is let in at this port of another."""
    policies = [
        policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy").values()
        if _selects(policy["spec"]["podSelector"], _labels(objects, target))
    ]
    rules = [rule for spec in policies for rule in spec.get("ingress", [])]
    return not policies or any(_lets_in(rule, source, objects, port) for rule in rules)


def _lets_in(rule: Object, source: str, objects: list[Object], port: int) -> bool:
    if "ports" in rule and port not in [one["port"] for one in rule["ports"]]:
        return False
    return "from" not in rule or any(_is_from(peer, source, objects) for peer in rule["from"])


def _is_from(peer: Object, source: str, objects: list[Object]) -> bool:
    if "namespaceSelector" in peer:
        assert peer == {"namespaceSelector": {}}, "this test knows the selector of all namespaces only"
        return True
    return source != OUTSIDE and _selects(peer["podSelector"], _labels(objects, source))


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions), "this test knows the operator In only"
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


def _labels(objects: list[Object], workload: str) -> dict[str, str]:
    found = of_kind(objects, "Deployment", "StatefulSet", "Job")[workload]
    labels: dict[str, str] = found["spec"]["template"]["metadata"]["labels"]
    return labels


def test_callers_and_orders_reach_the_gateway_and_no_service(everything: list[Object]) -> None:
    for source in (OUTSIDE, *ORDERS):
        assert reaches(everything, source, "gateway", 50051)
        assert not any(reaches(everything, source, service, 50051) for service in SERVICES), source


def test_gateway_and_pipeline_reach_the_services(everything: list[Object]) -> None:
    for source in ("gateway", "pipeline"):
        assert all(reaches(everything, source, service, 50051) for service in SERVICES)
    assert not reaches(everything, "segmentation", "generation", 50051)


def test_prometheus_of_another_namespace_reaches_every_services_metrics(everything: list[Object]) -> None:
    assert all(reaches(everything, OUTSIDE, service, 9464) for service in SERVICES)


def test_services_and_jobs_reach_minio_and_others_do_not(everything: list[Object]) -> None:
    jobs = ("push-models", "store-setup", *WITH_STORE_USER)
    assert all(reaches(everything, source, "minio", 9000) for source in (*SERVICES, *jobs))
    assert not reaches(everything, OUTSIDE, "minio", 9000)


def test_pods_of_a_training_reach_each_other_alone(everything: list[Object]) -> None:
    for port in (29500, 45123):
        assert reaches(everything, "training", "training", port)
        assert not any(
            reaches(everything, source, "training", port) for source in (OUTSIDE, "gateway", "evaluation-job")
        )


def test_what_no_policy_opens_is_closed(everything: list[Object]) -> None:
    for target in ("push-models", "evaluation-job", "generation"):
        assert not reaches(everything, "gateway", target, 8080)
    assert not reaches(overlay("production"), OUTSIDE, "gateway", 50052)
