"""Prometheus' rules: each is tried by promtool, and says what to do."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.prometheusrule import MANIFEST, manifest
from tests.deploy.promql import FOREIGN, MONITORING, RULES, alerts, metrics_of, promtool, rules
from tests.deploy.rendering import DEPLOY
from tests.e2e.quick_prometheus import quick

CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
RUNBOOKS = (DEPLOY.parent / "docs" / "runbooks.md").read_text()
each_alert = pytest.mark.parametrize(
    "alert", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)


@functools.cache
def groups() -> list[dict[str, Any]]:
    """Promtool's cases, by the series that they are about."""
    return [group for path in CASES for group in yaml.safe_load(path.read_text())["tests"]]


def test_rules_and_configuration_are_sound() -> None:
    promtool("check", "rules", *map(str, RULES), folder=MONITORING)
    promtool("check", "config", "prometheus.yml", folder=MONITORING)


def test_kubernetes_has_the_same_rules() -> None:
    assert MANIFEST.read_text() == manifest()  # else: .venv/bin/python deploy/monitoring/prometheusrule.py


def test_every_rule_does_what_its_cases_say() -> None:
    promtool("test", "rules", *map(str, CASES), folder=CASES[0].parent)


@each_alert
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: dict[str, Any]) -> None:
    cases = [case for group in groups() if group["input_series"] for case in group["alert_rule_test"]]
    severities = [
        {fired["exp_labels"]["severity"] for fired in case["exp_alerts"]}
        for case in cases
        if case["alertname"] == alert["alert"]
    ]
    assert {alert["labels"]["severity"] in found for found in severities} == {True, False}


@each_alert
def test_an_alert_says_how_bad_it_is_and_names_its_section_of_the_runbooks(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook"] == f"docs/runbooks.md#{alert['alert'].lower()}"
    section = re.search(rf"^## {alert['alert']}\n(.+?)(?=^## |\Z)", RUNBOOKS, re.DOTALL | re.MULTILINE)
    assert section
    for part in ("**Meaning.**", "**Look.**", "**Do.**", "**Harmless**"):
        assert part in section[1]


def test_the_runbooks_have_no_section_of_an_alert_that_is_not() -> None:
    assert set(re.findall(r"^## (Biosynth\w+)", RUNBOOKS, re.MULTILINE)) == {alert["alert"] for alert in alerts()}


def test_queries_of_the_runbooks_are_sound(exposed: set[str], tmp_path: Path) -> None:
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", RUNBOOKS)]
    queries = [
        span
        for span in spans
        if re.match(r"(sum|histogram_quantile) ?[(b]|\w+:\w+:|(biosynth|minio|process)_\w+$", span)
    ]
    assert len(queries) > 10
    group = {"name": "queries", "rules": [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries)]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [group]}))
    promtool("check", "rules", "queries.yaml", folder=tmp_path)
    known = exposed | FOREIGN | {rule["record"] for rule in rules() if "record" in rule}
    histograms = {name.removesuffix("_bucket") for name in known if name.endswith("_bucket")}
    assert set().union(*map(metrics_of, queries)) <= known | histograms


def test_rules_read_only_series_that_there_are(exposed: set[str]) -> None:
    known = exposed | FOREIGN | {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        read = metrics_of(rule["expr"])
        assert read
        assert read <= known


def test_alerts_are_tried_for_real_by_rules_that_differ_in_durations_alone(tmp_path: Path) -> None:
    for path in RULES:
        slow, fast = path.read_text(), quick(path.read_text())
        (tmp_path / path.name).write_text(fast)
        slow, fast = (re.sub(r"\b\d+[smhd]\b", "", json.dumps(yaml.safe_load(text))) for text in (slow, fast))
        assert slow == fast
    promtool("check", "rules", *(path.name for path in RULES), folder=tmp_path)
    example = {"groups": [{"name": "a", "rules": [{"alert": "B", "expr": "rate(c[3d]) > 5 * 86400", "for": "15m"}]}]}
    (changed,) = yaml.safe_load(quick(yaml.safe_dump(example)))["groups"][0]["rules"]
    assert changed == {"alert": "B", "expr": "rate(c[12960s]) > 5 * 86400", "for": "45s"}


def test_metrics_are_found_in_a_query() -> None:
    query = 'sum by (le, service) (rate(a_total{le="2.5", x="y"}[5m])) / on (service) b:c:d > 0.5 * 86400 unless up'
    assert metrics_of(query) == {"a_total", "b:c:d", "up"}
    assert metrics_of('label_replace(avg_over_time(D_UTIL[10m]), "pod", "$1", "p", "(.+)") < 20') == {"D_UTIL"}
