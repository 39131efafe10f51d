"""The dashboard is what its charts say, and asks for what there is."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.charts import ROWS
from tests.deploy.promql import FOREIGN, MONITORING, metrics_of, promtool, rules

DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def test_it_is_made_of_the_charts() -> None:
    dashboard = pytest.importorskip("deploy.monitoring.dashboard", reason="grafana-foundation-sdk is not here")
    # Else: .venv/bin/python -m deploy.monitoring.dashboard
    assert (MONITORING / "dashboard.json").read_text() == dashboard.text()


def test_every_chart_is_in_it() -> None:
    assert [panel["title"] for panel in PANELS] == [chart.title for charts in ROWS.values() for chart in charts]


def test_panels_have_numbers_of_their_own_and_lie_side_by_side() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len({*numbers}) == len(numbers)
    places = [tuple(panel["gridPos"][side] for side in ("y", "x")) for panel in DASHBOARD["panels"]]
    assert all(one < other for one, other in pairwise(places))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


@each_panel
def test_a_panel_says_what_it_shows_in_which_unit_and_of_which_source(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    for target in panel["targets"]:
        names = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        grouped = re.search(r"by \(([^)]*)\) (?!.*by \()", target["expr"])
        given = {"service"} if grouped is None else set(re.split(", ?", grouped[1]))
        assert set(names) <= given


@each_panel
def test_a_rate_is_over_the_interval_that_grafana_reckons_with(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert set(re.findall(r"\[(.*?)\]", target["expr"])) <= {"$__rate_interval"}


def test_queries_are_sound(tmp_path: Path) -> None:
    queries = [filled(target["expr"]) for panel in PANELS for target in panel["targets"]]
    group = {"name": "queries", "rules": [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries)]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [group]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", "queries.yaml", folder=tmp_path)


@each_panel
def test_a_panel_reads_only_series_that_there_are(panel: dict[str, Any], exposed: set[str]) -> None:
    known = exposed | FOREIGN | {"ALERTS", "Inf"} | {rule["record"] for rule in rules() if "record" in rule}
    for target in panel["targets"]:
        read = metrics_of(filled(target["expr"]))
        assert read
        assert read <= known


def filled(query: str) -> str:
    return query.replace("$__rate_interval", "1m").replace("$service", ".+")
