"""The report of an evaluation, as a page."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # shipped without types
import pytest

from services.evaluation.report import page
from services.evaluation.report.page import Strip, render_report
from tests.support.html import Page
from tests.unit.evaluation.report_sample import NAMES, PIXEL, Record, sample

SCHEMA = json.loads(Path(page.__file__).with_name("schema.json").read_text(encoding="utf-8"))
SECTIONS = ["Verdict", "Set metrics", "Paired metrics", "Spectra", "Outliers", "Real beside generated"]
SECTIONS += ["Statistics of the images", "How to read this page", "Versions"]
STRIPS = [Strip("field_with_a_picture.png", [("real", PIXEL), ("l1-only", PIXEL)])]


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(sample(), STRIPS)


@pytest.mark.parametrize(("candidates", "pairs"), [(1, 12), (3, 12), (3, 0), (1, 1)])
def test_every_tag_is_closed_and_every_section_is_there_in_order(candidates: int, pairs: int) -> None:
    html = render_report(sample(candidates, pairs), STRIPS)
    assert Page(html).open == []
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html) == SECTIONS
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_verdict_comes_before_all_tables_with_the_metrics_that_decide_it(html: str) -> None:
    top, _, _ = html.partition("<table")
    text = Page(top).text
    for name, verdict in zip(NAMES, ("✓ like real", "≠ distinguishable", "✕ unusable"), strict=True):
        assert f"{name} {verdict}" in text
    assert "discriminability lower is better 0.930 real: 0.500" in text


def test_a_verdict_rests_on_metrics_of_the_same_verdict() -> None:
    metrics = sample(1)
    [candidate] = metrics["candidates"]
    candidate["sets"][3]["verdict"], candidate["sets"][4]["verdict"] = "distinguishable", "unusable"
    for verdict, names in (
        ("distinguishable", ["fidelity_mean_ap", "coverage"]),
        ("unusable", ["coverage", "discriminability"]),
        ("like real", ["discriminability", "spectrum_distance", "texture_distance"]),
    ):
        candidate["verdict"] = verdict
        assert [metric["name"] for metric in page.deciding(candidate)] == names


def test_numbers_have_three_digits_and_the_tables_all_figures(html: str) -> None:
    text = Page(html).text
    assert "0.0350 0.0210 to 0.0520" in text  # a ceiling
    assert "flat paint 0.811" in text
    assert "flat_paint" not in text
    assert "two-sided: closest to the ceiling" in text
    assert "numpy 2.4.0" in text
    assert not re.search(r"\d\.\d{7}", text)


def test_what_is_unavailable_shows_its_reason(html: str) -> None:
    text = Page(html).text
    assert text.count("no training images were given") == 1  # one for all candidates
    assert text.count("needs BIOSYNTH_LPIPS_FILE, the weights of LPIPS") == 3


def test_what_some_pairs_lack_shows_its_reason() -> None:
    metrics = sample(1)
    psnr = metrics["candidates"][0]["paired"]["metrics"][2]
    psnr["values"][0], psnr["unavailable"] = None, "identical images"
    assert "11 of 12 fields; for others: identical images" in Page(render_report(metrics, [])).text


def test_a_candidate_that_is_not_judged_shows_why() -> None:
    metrics = sample(1)
    for metric in metrics["candidates"][0]["sets"]:
        metric |= {"value": None, "interval": None, "ceiling": None, "floors": {}, "verdict": "not judged"}
        metric["unavailable"] = "needs at least 2 fields"
    metrics["candidates"][0]["verdict"] = "not judged"
    text = Page(render_report(metrics, [])).text
    assert "? not judged No set metric could be judged." in text
    assert text.count("needs at least 2 fields") == 3 + 6  # in the verdict, in the table


def test_sets_that_are_not_paired_say_so() -> None:
    text = Page(render_report(sample(pairs=0), [])).text
    assert "60 fields; not paired with real fields." in text
    assert "No candidate is paired with real fields" in text


def test_what_tells_each_candidate_from_real_images_is_in_a_table(html: str) -> None:
    text = Page(html).text
    assert "homogeneity at 1 px 0.460 0.200 to 0.520 0.706 0.676" in text
    assert text.count("mean gradient 0.550 – 0.0810 0.0830") == 3


def test_sets_of_too_few_windows_say_so() -> None:
    metrics = sample(1)
    metrics["candidates"][0]["telling"] = []
    assert "There are too few windows." in Page(render_report(metrics, [])).text


def test_sets_without_spectra_say_so() -> None:
    metrics = sample(1)
    metrics["spectra"] = {"cycles_per_window": [1.0, 2.0], "real": [], "candidates": {NAMES[0]: []}}
    assert "There are no spectra." in Page(render_report(metrics, [])).text


def test_outliers_are_the_worst_in_the_metrics_own_direction() -> None:
    metrics = sample(1)
    names = metrics["candidates"][0]["paired"]["names"]
    for metric, cells in page.worst_fields(metrics["candidates"]):
        own = next(each for each in metrics["candidates"][0]["paired"]["metrics"] if each["name"] == metric["name"])
        order = sorted(own["values"], reverse=metric["direction"] == "lower")
        assert cells == [[(names[own["values"].index(value)], value) for value in order[:3]]]


def test_a_strip_of_an_outlier_is_shown_once_among_the_outliers() -> None:
    metrics = sample(1)
    name = page.worst_fields(metrics["candidates"])[0][1][0][0][0]
    html = render_report(metrics, [*STRIPS, Strip(name, [("real", PIXEL)])])
    outliers, _, rest = html.partition('id="strips"')
    assert f"real, field {name}" in outliers and f"real, field {name}" not in rest
    assert "l1-only, field field_with_a_picture.png" in rest


def test_the_page_needs_nothing_beside_it(html: str) -> None:
    found = Page(html)
    assert not {"script", "link", "iframe", "object", "base", "form", "svg"} & set(found.tags)
    assert not re.search(r"@import|url\(", html)
    assert all(one.startswith(("data:image/", "#")) for one in found.references)
    assert {one[1:] for one in found.references if one.startswith("#")} <= set(found.identifiers)
    assert "default-src 'none'" in html


def test_every_picture_has_a_text(html: str) -> None:
    pictures = Page(html).pictures
    assert len(pictures) == 5 + 8 + 2 + 2  # set metrics, paired metrics, spectra, the strip
    assert all(picture["alt"] for picture in pictures)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} & $x^2$"])
def test_names_are_text_and_never_markup(html: str, evil: str) -> None:
    found = Page(render_report(_renamed(sample(), evil), [Strip(evil, [(evil, PIXEL), (evil, PIXEL)])]))
    assert found.open == []
    assert [tag for tag in found.tags if tag != "wbr"] == [tag for tag in Page(html).tags if tag != "wbr"]
    assert found.text.count(evil) > 20


def test_names_that_the_font_lacks_are_drawn_without_a_warning() -> None:
    assert Page(render_report(_renamed(sample(1), "模型\n$\\frac$ 🧫 a very long name of a model"), [])).open == []


def test_the_same_input_gives_the_same_bytes(html: str) -> None:
    assert render_report(sample(), STRIPS) == html


@pytest.mark.parametrize(("candidates", "pairs"), [(1, 12), (3, 12), (3, 0)])
def test_the_sample_is_of_the_schema(candidates: int, pairs: int) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(sample(candidates, pairs), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "biosynth.evaluation/2"),
        ("candidates", []),
        ("colour", "blue"),
        ("candidates/0/verdict", "good"),
        ("candidates/0/sets/0/verdict", ""),
        ("candidates/0/paired/metrics/0/direction", "two-sided"),
        ("candidates/0/paired/metrics/0/mean", None),
        ("candidates/0/paired/metrics/0/interval", [0.1]),
        ("candidates/0/sets/0/ceiling", [0.1, 0.2]),
        ("candidates/0/sets/0/value", None),
        ("candidates/0/sets/0/unavailable", "no judge"),
        ("candidates/0/sets/0/floors", {"blurred": None}),
        ("real/statistics/mean", None),
    ],
)
def test_what_is_broken_is_not_of_the_schema(path: str, value: object) -> None:
    metrics = sample(1)
    *steps, last = path.split("/")
    place: Any = metrics
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(metrics, SCHEMA)


def test_every_field_of_the_schema_is_described() -> None:
    def missing(node: Record, path: str) -> list[str]:
        own = [] if "description" in node or "$ref" in node else [path]
        inner = [name for key, each in node.get("properties", {}).items() for name in missing(each, f"{path}/{key}")]
        return own + inner

    assert missing(SCHEMA, "") == []
    kinds = SCHEMA["$defs"]
    assert [
        one for name in kinds if "properties" in kinds[name] for one in missing(kinds[name] | {"description": ""}, name)
    ] == []


def _renamed(metrics: Record, name: str) -> Record:
    """Put a name wherever a text may stand."""
    metrics["real"]["name"] = name
    metrics["versions"] = {name: name, "numpy": "2.4.0"}
    line = metrics["spectra"]["real"]
    for number, candidate in enumerate(metrics["candidates"]):
        candidate["name"] = f"{name}{number}"
        candidate["paired"]["names"] = [f"{name}{field}" for field in range(candidate["paired"]["pairs"])]
        for metric in (*candidate["paired"]["metrics"], *candidate["sets"]):
            metric["name"], metric["what"] = metric["name"] + name, name
            metric["unavailable"] = name if metric["unavailable"] else ""
        for metric in candidate["sets"]:
            metric["floors"] = {floor + name: value for floor, value in metric["floors"].items()}
    metrics["spectra"]["candidates"] = {candidate["name"]: line for candidate in metrics["candidates"]}
    return metrics
