"""Draws docs/dashboard.png: what a Prometheus answers to the queries of deploy/monitoring/dashboard.json.

Run from the repository's root, while `make up` runs and has work: .venv/bin/python docs/dashboard_picture.py
"""

from __future__ import annotations

import argparse
import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import urllib3
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from PIL import Image

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "deploy" / "monitoring" / "dashboard.json"
# For series no further apart than the scrapes of compose: a rate needs two in its window.
STEP_SECONDS, RATE_WINDOW = 5, "1m"


def main() -> None:
    """Ask every query and write the picture; says which had no answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=15, help="how far back; default: 15")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "dashboard.png")
    arguments = parser.parse_args()
    mpl.use("Agg")
    panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
    figure = Figure(figsize=(15, 2.3 * len(panels) / 3), layout="constrained")
    for panel, axes in zip(panels, figure.subplots(len(panels) // 3, 3).flat, strict=True):
        draw(axes, panel, arguments.prometheus, arguments.minutes)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=64)
    Image.open(drawn).quantize(64).save(arguments.out, optimize=True)  # a third of the bytes, and no difference to see


def draw(axes: Axes, panel: dict[str, Any], prometheus: str, minutes: float) -> None:
    """One panel: a line for each series, and the limit where it has one."""
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_title(f"{panel['title']} [{defaults['unit']}]", fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    drawn = 0
    for target in panel["targets"]:
        for series in ask(prometheus, target["expr"], minutes):
            label = target["legendFormat"]
            for name, value in series["metric"].items():
                label = label.replace("{{" + name + "}}", value)
            times, values = np.array(series["values"], float).T
            axes.plot((times - time.time()) / 60, values, linewidth=1, label=label)
            drawn += 1
    if drawn == 0:
        print(f"no data: {panel['title']}")
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color="grey")
    elif drawn <= 8:  # more would hide the lines
        axes.legend(fontsize=6, loc="upper left", framealpha=0.6)
    for step in defaults.get("thresholds", {}).get("steps", [])[1:]:
        axes.axhline(step["value"], color="red", linewidth=0.6, linestyle="--")
    axes.set_xlim(-minutes, 0)
    axes.set_ylim(bottom=0)
    if defaults["unit"] in ("bytes", "s"):
        axes.yaxis.set_major_formatter(EngFormatter())


def ask(prometheus: str, query: str, minutes: float) -> list[dict[str, Any]]:
    """The series of a query over the last minutes. Ends the program where Prometheus refuses it."""
    now = time.time()
    query = query.replace("$__rate_interval", RATE_WINDOW).replace("$service", ".+")
    fields = {"query": query, "start": str(now - 60 * minutes), "end": str(now), "step": str(STEP_SECONDS)}
    answer = urllib3.request("GET", f"{prometheus}/api/v1/query_range", fields=fields).json()
    if answer["status"] != "success":
        raise SystemExit(f"expected an answer to {query}; Prometheus said: {answer['error']}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


if __name__ == "__main__":
    main()
