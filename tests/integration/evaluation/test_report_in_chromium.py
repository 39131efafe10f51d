"""The reports of an evaluation and of a tool check in a browser: they fit the screen, and ask for nothing."""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from services.evaluation.report.page import Strip, render_report
from services.evaluation.toolcheck.check import check_tools
from tests.unit.evaluation.report_sample import NAMES, sample
from tests.unit.evaluation.toolcheck_sample import LEVELS, images, oracle

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
QUIET = (
    "--headless --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
)
# Each page stands in a frame of its width. What is drawn, and what was asked for, is written down once all have loaded.
MEASURE = """
<script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement
    return {
      window: frame.contentWindow.innerWidth, width: root.scrollWidth, height: root.scrollHeight,
      pictures: page.images.length, drawn: [...page.images].filter(one => one.complete && one.naturalWidth).length,
      asked: frame.contentWindow.performance.getEntriesByType("resource").map(one => one.name.slice(0, 80)),
    }
  })
  document.body.textContent = JSON.stringify(found)
})
</script>
"""
Measure = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def measure(tmp_path: Path) -> Measure:
    """Return what a browser makes of a page, at each of WIDTHS; no name can be resolved."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"needs a browser on PATH: {', '.join(BROWSERS)}")

    def measured(page: str) -> list[dict[str, Any]]:
        frames = "".join(
            f'<iframe width="{width}" height="800" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
            for width in WIDTHS
        )
        file = tmp_path / "measure.html"
        file.write_text(f'<!doctype html><meta charset="utf-8">{MEASURE}{frames}', encoding="utf-8")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        where = [f"--user-data-dir={tmp_path / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND"]
        command = [browser, *QUIET.split(), *sandbox, *where, "--window-size=1400,900", "--dump-dom", file.as_uri()]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        text = ran.stdout.partition("<body>")[2].partition("</body>")[0]
        found: list[dict[str, Any]] = json.loads(html.unescape(text))
        return found

    return measured


def test_the_report_fits_wide_and_narrow_screens_and_asks_for_nothing(measure: Measure) -> None:
    metrics = sample(3)
    long = metrics["candidates"][0]["name"] = "a_name_without_a_space_" * 4
    metrics["spectra"]["candidates"][long] = metrics["spectra"]["candidates"].pop(NAMES[0])
    metrics["real"]["name"] = "x" * 200
    strip = Strip("0123456789abcdef" * 4 + ".png", [(name, _picture()) for name in ("real", *NAMES)])
    wide, narrow = measure(render_report(metrics, [strip]))
    for found, width in ((wide, 1280), (narrow, 390)):
        assert found["window"] == width
        assert found["width"] <= width
        assert found["drawn"] == found["pictures"] == 5 + 8 + 2 + 4  # set metrics, paired metrics, spectra, the strip
        assert found["asked"] == []
    assert narrow["height"] > wide["height"] > 2000


def test_the_report_of_a_tool_check_does_too(measure: Measure) -> None:
    fields = images(10)
    names = ("nuclei", "a_name_without_a_space_" * 4)
    page = check_tools(replace(fields, name="x" * 200), "nuclei", [oracle(fields, name) for name in names]).html
    for found, width in zip(measure(page.decode()), WIDTHS, strict=True):
        assert found["window"] == width
        assert found["width"] <= width
        assert found["drawn"] == found["pictures"] == 3 * 7 + 2 * len(LEVELS)
        assert found["asked"] == []


def test_a_page_that_is_too_wide_or_asks_for_something_would_be_noticed(measure: Measure) -> None:
    [_, narrow] = measure('<div style="width:2000px">wide</div><img src="http://example.org/a.png">')
    assert narrow["width"] == 2000 + 8  # and the body's margin
    assert (narrow["pictures"], narrow["drawn"]) == (1, 0)
    assert narrow["asked"] == ["http://example.org/a.png"]


def _picture() -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    return bytes(cv2.imencode(".png", picture)[1])
