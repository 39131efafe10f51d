"""The report of a run."""

from __future__ import annotations

import base64
import copy
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from services.cli.report import report

RUN: dict[str, Any] = {
    "input": {"name": "frame.png", "sha256": "ab"},
    "segmentation": {
        "segmenter": "scratch",
        "segmenter_version": 2,
        "parts": ["cells", "wound"],
        "cells": 12,
        "nuclei": 0,
        "wound_fraction": 0.256,
        "height_px": 40,
        "width_px": 60,
        "at_border": 3,
        "diameter_px": 17.25,
        "choice_confidence": 0.875,
        "warnings": [],
        "unsuitable": [],
        "pixel_size_um": None,
        "means": {"cells": {"area": 310.5, "solidity": 0.91234}},
    },
    "stopped": [],
    "reference": {
        "schema": "cells4",
        "schema_version": 1,
        "levels": [{"index": 0, "name": "wound", "pixels": 614}, {"index": 1, "name": "gap", "pixels": 1786}],
    },
    "generation": {
        "model": "phase-scratch",
        "model_version": "1",
        "seed": 7,
        "engine": "onnxruntime-cpu",
        "precision": "float32",
        "appearance": {"background": 0.123456, "noise": 0.0},
        "look": {"origin": "measured", "drawn_from": ""},
        "warnings": [],
    },
    "likeness": {"ssim": 0.4321, "mae": 0.0123},
    "stages": [{"stage": "segment", "seconds": 1.234, "cached": False}],
    "outputs": {"generated.png": "cd" * 32},
    "versions": {"numpy": "2.4.0"},
}


class _Page(HTMLParser):
    """Collects tags, what they refer to, and text; checks that tags close in order."""

    void = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_says_what_was_run_and_found() -> None:
    page = _Page(report(RUN, b"png", [("generated", b"other")]))
    text = " ".join(page.words)
    assert page.open == []
    for words in (
        "frame.png, 40 x 60 px",
        "scratch v2: 12 cells, wound 25.6 % of the area",
        "0.88 sure of it",
        "17.2 px",
        "3 of the cells and nuclei",
        "cells4 v1",
        "phase-scratch v1, seed 7",
        "onnxruntime-cpu, float32",
        "0.1235",
        "1.23",
        "cd" * 32,
        "2.4.0",
    ):
        assert words in text
    assert " 0 nuclei" not in text


def test_the_report_needs_nothing_beside_it() -> None:
    page = _Page(report(RUN, b"png", [("generated", b"other")]))
    assert page.sources == [f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in (b"png", b"other")]
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|@import|url\(", report(RUN, b"png", []))


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b<c>.png"])
def test_names_are_text_and_never_markup(evil: str) -> None:
    run = copy.deepcopy(RUN)
    run["input"]["name"] = run["segmentation"]["segmenter"] = run["generation"]["model"] = evil
    run["reference"]["schema"] = run["reference"]["levels"][0]["name"] = run["stages"][0]["stage"] = evil
    run["outputs"], run["versions"], run["generation"]["appearance"] = (
        {evil: evil},
        {evil: evil},
        {evil: 1.0, "noise": 0.0},
    )
    page, plain = _Page(report(run, b"png", [(evil, b"other")])), _Page(report(RUN, b"png", [("generated", b"other")]))
    assert page.open == []
    assert page.tags == plain.tags
    assert len(page.sources) == 2
    assert evil in "".join(page.words)


def test_a_run_without_a_wound_says_so() -> None:
    run = copy.deepcopy(RUN)
    run["segmentation"]["wound_fraction"] = 0.0
    assert "12 cells, no wound" in report(run, b"", [])


def test_one_run_has_one_report() -> None:
    assert report(RUN, b"png", []) == report(copy.deepcopy(RUN), b"png", [])


def test_a_run_that_stopped_early_reports_what_there_is() -> None:
    whole = {name: value for name, value in RUN.items() if name not in ("generation", "likeness")}
    drawn = report(whole, b"png", [])
    assert "Levels of the reference" in drawn and "model" not in drawn
    found = report({name: value for name, value in whole.items() if name != "reference"}, b"png", [])
    assert "scratch v2: 12 cells" in found and "Levels" not in found and "schema" not in found
    assert _Page(found).open == []


def test_warnings_of_the_segmentation_stand_in_the_report() -> None:
    run = copy.deepcopy(RUN)
    run["segmentation"]["warnings"] = ["9 of 10 nuclei lie in no cell: <swapped>?"]
    assert "9 of 10 nuclei lie in no cell: &lt;swapped&gt;?" in report(run, b"", [])
