"""Writes dashboard.json, which Grafana imports, from the charts of charts.py.

Run from the repository's root: .venv/bin/python -m deploy.monitoring.dashboard
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef, GraphThresholdsStyleMode, LegendDisplayMode
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, VariableRefresh

from deploy.monitoring.charts import ROWS, Chart

FILE = Path(__file__).with_suffix(".json")
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH, _HEIGHT = 8, 8  # of the 24 columns of Grafana's grid


def text() -> str:
    """The dashboard as JSON."""
    built = (
        dashboard.Dashboard("biosynth")
        .uid("biosynth")
        .tags(["biosynth"])
        .refresh("30s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("service")
            .label("Service")
            .datasource(_SOURCE)
            .query('label_values(up{job="biosynth"}, service)')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".+")
        )
    )
    numbers = count(1)
    for title, charts in ROWS.items():
        built.with_row(dashboard.Row(title).id(next(numbers)))
        for chart in charts:
            built.with_panel(_panel(chart).id(next(numbers)))
    return JSONEncoder(sort_keys=True, indent=1).encode(built.build()) + "\n"


def _panel(chart: Chart) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(chart.title)
        .description(chart.meaning)
        .unit(chart.unit)
        .datasource(_SOURCE)
        .span(_WIDTH)
        .height(_HEIGHT)
        .min(0)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True))
    )
    for letter, (legend, query) in zip("ABCDE", chart.queries.items(), strict=False):
        panel.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter))
    if chart.limit is not None:
        steps = [Threshold(value=None, color="green"), Threshold(value=chart.limit, color="red")]
        panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE))
    return panel


if __name__ == "__main__":
    FILE.write_text(text())
