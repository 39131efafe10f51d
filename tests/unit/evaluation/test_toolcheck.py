"""The tool check: figures, verdicts, files and the page, of tools whose faults are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import ReferenceType, ref

import jsonschema  # type: ignore[import-untyped]  # shipped without types
import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Segmentation
from services.evaluation.pictures import Picture, PictureSet
from services.evaluation.toolcheck import page
from services.evaluation.toolcheck.check import Made, check_tools
from services.evaluation.toolcheck.conditions import UNDEGRADED, Level
from services.evaluation.toolcheck.strips import SIDE_PX, window_of
from services.evaluation.toolcheck.tools import Tool, segmenter_tool
from services.evaluation.toolcheck.verdict import leader_sentence, sentences
from services.segmentation.builtin import builtin_segmenters
from tests.support.html import Page
from tests.unit.evaluation.toolcheck_sample import LEVELS, images, nuclei, oracle

Record = dict[str, Any]
SCHEMA = json.loads(page.HERE.joinpath("schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made() -> Made:
    """Two tools, ten fields: there are bins of spacing."""
    fields = images(10)
    return check_tools(fields, "nuclei", [oracle(fields, lost=LEVELS[2:]), nuclei()], versions={"numpy": "2.4.0"})


@pytest.fixture
def record(made: Made) -> Record:
    found: Record = json.loads(made.json)
    return found


def test_a_tool_that_is_right_until_it_is_lost_is_told_exactly_that(made: Made, record: Record) -> None:
    right = record["tools"][0]
    values = [level["figures"]["mean_ap"]["value"] for level in right["levels"]]
    assert values == [1.0, 1.0, 0.0, 0.0]
    assert [level["figures"]["missed"]["value"] for level in right["levels"]] == [0.0, 0.0, 1.0, 1.0]
    assert [level["loss"] and level["loss"]["value"] for level in right["levels"]] == [None, 0.0, 1.0, 1.0]
    assert [(limit["condition"], limit["holds_to"], limit["loses_at"]) for limit in right["limits"]] == [
        ("noise", 0.2, 1.0), ("blur", 0.0, 3.0)
    ]  # fmt: skip
    assert made.verdicts["oracle"] == [
        "Noise: holds up to 0.2, loses 1.00 (1.00 to 1.00) at 1 of the contrast.",
        "Blur: loses 1.00 (1.00 to 1.00) at 3 px.",
    ]


def test_figures_of_a_segmenter_are_those_of_its_rows_and_have_intervals_around_them(
    made: Made, record: Record
) -> None:
    rows = list(csv.DictReader(io.StringIO(made.csv.decode())))
    assert len(rows) == 2 * len(LEVELS) * 10
    for level in record["tools"][1]["levels"]:
        own = [
            row for row in rows
            if (row["tool"], row["condition"], float(row["level"])) == ("nuclei", level["condition"], level["level"])
        ]  # fmt: skip
        for name in ("mean_ap", "ap50", "aji", "dice"):
            assert level["figures"][name]["value"] == pytest.approx(np.mean([float(row[name]) for row in own]))
        for name in ("missed", "merged", "split"):
            share = sum(int(row[name]) for row in own) / sum(int(row["objects"]) for row in own)
            assert level["figures"][name]["value"] == pytest.approx(share)
        for one in level["figures"].values():
            assert one["interval"][0] <= one["value"] <= one["interval"][1]


def test_noise_costs_a_segmenter_more_the_more_there_is(record: Record) -> None:
    start, some, much, _ = (level["figures"]["mean_ap"]["value"] for level in record["tools"][1]["levels"])
    assert start > 0.5 and start > some > much


def test_the_leader_is_told_where_the_lead_is_sure(made: Made) -> None:
    fields = images(3)
    assert made.leaders[0].startswith("On undegraded images, oracle is best: mean AP 1.00, ")
    assert made.leaders[1].startswith("Over all degraded images, nuclei is best")
    alike = check_tools(fields, "nuclei", [oracle(fields, "a"), oracle(fields, "b")])
    assert alike.leaders[0] == "On undegraded images, a and b are not told apart by these fields."
    close = {"where": "degraded", "first": "a", "second": "b", "value": 0.5, "lead": 0.1, "interval": [-0.01, 0.2]}
    assert leader_sentence(close).endswith("are not told apart by these fields.")


def test_masks_of_undegraded_images_alone_are_scored_on_these_and_lead_there_alone() -> None:
    fields = images(3)
    found = check_tools(fields, "nuclei", [oracle(fields, levels=[UNDEGRADED]), nuclei()])
    assert found.verdicts["oracle"] == ["Checked on undegraded images alone."]
    assert [words.split(",")[0] for words in found.leaders] == ["On undegraded images"]
    assert len(json.loads(found.json)["tools"][0]["levels"]) == 1


def test_a_tool_that_finds_nothing_has_no_limits_to_tell() -> None:
    fields = images(2)
    blind = check_tools(fields, "nuclei", [oracle(fields, lost=LEVELS)])
    assert blind.verdicts["oracle"] == ["Mean AP is 0.00 on undegraded images already: it does not find these objects."]
    assert sentences(
        0.5, [{"condition": "dim", "holds_to": 0.9, "loses_at": None, "loss": -0.1, "interval": None}]
    ) == ["Dimming: holds up at all levels; loses nothing at 0.9 of the light gone."]


def test_one_image_has_figures_without_intervals() -> None:
    fields = images(1)
    made = check_tools(fields, "nuclei", [nuclei()])
    record = json.loads(made.json)
    jsonschema.validate(record, SCHEMA)
    assert all(one["interval"] is None for level in record["tools"][0]["levels"] for one in level["figures"].values())
    text = Page(made.html.decode()).text
    assert "One field has no intervals." in text and "needs at least 10 fields" in text


def test_spacing_bins_hold_all_fields_and_crowded_ones_come_first(record: Record) -> None:
    found = record["spacing"]["bins"]
    assert [one["fields"] for one in found] == [5, 5]
    assert found[0]["low"] <= found[0]["mean"] <= found[0]["high"] <= found[1]["low"]
    assert [len(tool["spacing"]) for tool in record["tools"]] == [2, 2]


class _Counted(Sequence[Picture]):
    """Pictures made when they are asked for; counts how many are held at most."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures, self._made, self.most = pictures, list[ReferenceType[Picture]](), 0

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        made = replace(self._pictures[index])
        self._made = [one for one in (*self._made, ref(made)) if one() is not None]
        self.most = max(self.most, len(self._made))
        return made


def test_no_more_images_are_held_than_the_last_and_the_next() -> None:
    fields = images(8)
    counted = _Counted(fields.pictures)
    check_tools(replace(fields, pictures=counted), "nuclei", [oracle(fields, levels=[UNDEGRADED])])
    assert counted.most == 2


def test_the_order_of_images_does_not_matter() -> None:
    fields = images(3)
    turned = PictureSet(fields.name, fields.names[::-1], fields.pictures[::-1])
    first, second = (json.loads(check_tools(some, "nuclei", [nuclei()]).json) for some in (fields, turned))
    for one, other in zip(first["tools"][0]["levels"], second["tools"][0]["levels"], strict=True):
        assert one["figures"]["mean_ap"]["value"] == pytest.approx(other["figures"]["mean_ap"]["value"])


def test_the_same_input_gives_the_same_bytes(made: Made) -> None:
    fields = images(10)
    again = check_tools(fields, "nuclei", [oracle(fields, lost=LEVELS[2:]), nuclei()], versions={"numpy": "2.4.0"})
    assert (again.json, again.csv, again.html) == (made.json, made.csv, made.html)


def test_fields_that_cannot_be_scored_are_listed_before_any_work() -> None:
    [good] = images(1).pictures
    bare = replace(good, name="bare", labels=Segmentation(nuclei=np.zeros((96, 96), np.int32)))
    small = replace(good, name="small", image=good.image[:50])
    for wrong, message in (
        (bare, "1 of 2 have none: 'bare'"),
        (small, "expected labels of their image's size; 'small: 50 x 96 px with labels of 96 x 96 px'"),
    ):
        calls: list[int] = []
        with pytest.raises(InvalidArgument, match=message):
            check_tools(_set([good, wrong]), "nuclei", [nuclei()], progress=calls.append)
        assert calls == []


def test_masks_of_another_size_are_refused_by_name_and_level() -> None:
    tool = Tool("theirs", "masks", None, [UNDEGRADED], lambda _name, _level, _image: np.zeros((5, 7), np.int32))
    with pytest.raises(
        InvalidArgument, match=r"'field_0' \(undegraded\) is 96 x 96 px, and its mask of 'theirs' 5 x 7"
    ):
        check_tools(images(1), "nuclei", [tool])


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_tools_need_names_of_their_own(names: Sequence[str]) -> None:
    fields = images(1)
    with pytest.raises(InvalidArgument, match="a name of their own"):
        check_tools(fields, "nuclei", [oracle(fields, name) for name in names])


def test_a_segmenter_of_other_parts_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="finds nuclei; cells finds cells"):
        segmenter_tool(builtin_segmenters()["cells"], "nuclei", LEVELS)


def test_the_picture_of_a_large_field_is_a_part_with_an_object_in_it() -> None:
    true = np.zeros((500, 700), np.int32)
    true[480:495, 10:30], true[5:20, 660:690] = 1, 2
    window = window_of(true)
    assert true[window].shape == (SIDE_PX, SIDE_PX) and true[window].any()
    assert true[:50, 500:][window_of(true[:50, 500:])].shape == (50, SIDE_PX)


def test_the_record_is_of_the_schema_and_the_schema_is_one(record: Record) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(record, SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "biosynth.toolcheck/2"),
        ("tools", []),
        ("colour", "blue"),
        ("part", "wound"),
        ("tools/0/kind", "human"),
        ("tools/0/verdict", []),
        ("tools/0/levels/0/loss", {"value": 0.1, "interval": None}),
        ("tools/0/levels/1/loss", None),
        ("tools/0/levels/1/figures", {}),
        ("tools/0/levels/1/figures/mean_ap/interval", [0.1]),
        ("conditions/0/levels", [0.0]),
        ("spacing/bins/0/fields", 0),
        ("leaders/0/where", "everywhere"),
    ],
)
def test_what_is_broken_is_not_of_the_schema(record: Record, path: str, value: object) -> None:
    *steps, last = path.split("/")
    place: Any = record
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, SCHEMA)


def test_every_field_of_the_schema_is_described() -> None:
    nodes = {"": SCHEMA, **SCHEMA["$defs"]}
    assert [
        f"{name}/{key}"
        for name, node in nodes.items()
        for key, field in node.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ] == []


def test_the_page_tells_the_verdict_first_and_needs_nothing_beside_it(made: Made) -> None:
    html = made.html.decode()
    found = Page(html)
    assert found.open == []
    top = Page(html.partition('class="plots"')[0]).text
    for words in (*made.leaders, *made.verdicts["oracle"], *made.verdicts["nuclei"]):
        assert words in top
    assert not {"script", "link", "iframe", "object", "base", "form", "svg"} & set(found.tags)
    assert all(one.startswith(("data:image/", "#")) for one in found.references)
    assert {one[1:] for one in found.references if one.startswith("#")} <= set(found.identifiers)
    assert "default-src 'none'" in html
    assert len(found.pictures) == 3 * 7 + 2 * len(LEVELS)  # noise, blur and spacing; a panel for each tool and level
    assert all(picture["alt"] for picture in found.pictures)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} & $x^2$"])
def test_names_are_text_and_never_markup(evil: str) -> None:
    fields = replace(images(2), name=evil)
    tools = [oracle(fields, name) for name in ("a", evil)]
    plain, odd = (
        Page(check_tools(some, "nuclei", given).html.decode())
        for some, given in ((images(2), [oracle(fields, "a"), oracle(fields, "b")]), (fields, tools))
    )
    assert odd.tags == plain.tags and odd.open == []
    assert odd.text.count(evil) > 5


def test_levels_that_are_many_still_make_a_page() -> None:
    fields = images(1)
    levels = [UNDEGRADED, *(Level("noise", share / 10) for share in range(1, 12))]
    assert Page(check_tools(fields, "nuclei", [oracle(fields, levels=levels)]).html.decode()).open == []


def _set(pictures: Sequence[Picture]) -> PictureSet:
    return PictureSet("some", tuple(picture.name for picture in pictures), pictures)
