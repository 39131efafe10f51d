"""Models on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import ConfigError, UnknownName
from services.generation.looks import LabelStatistics
from services.generation.model import CARD, DESCRIPTION, FORMAT, WEIGHTS, ModelShelf, read_model, write_description
from tests.unit.generation.fakes import description


def _stored(root: Path, name: str = "fake", weights: bytes = b"weights", version: str = "1") -> Path:
    folder = root / (name if version == "1" else f"{name}-{version}")
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(weights)
    write_description(folder, description(name=name, version=version, sha256=hashlib.sha256(weights).hexdigest()))
    return folder


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_description(tmp_path, description(sha256="ab"))
    assert read_model(tmp_path).description == description(sha256="ab")


def test_a_description_is_written_twice_alike_with_one_look_per_line(tmp_path: Path) -> None:
    write_description(tmp_path, description())
    first = (tmp_path / DESCRIPTION).read_text()
    write_description(tmp_path, read_model(tmp_path).description)
    assert (tmp_path / DESCRIPTION).read_text() == first
    assert sum('"appearance"' in line for line in first.splitlines()) == len(description().records)


def test_weights_are_checked_against_the_description(tmp_path: Path) -> None:
    folder = _stored(tmp_path)
    assert read_model(folder).weights() == b"weights"
    (folder / WEIGHTS).write_bytes(b"others")
    with pytest.raises(ConfigError, match="sha256"):
        read_model(folder).weights()
    (folder / WEIGHTS).unlink()
    with pytest.raises(ConfigError, match="absent"):
        read_model(folder).weights()


def test_a_card_is_the_file_beside_the_weights_or_empty(tmp_path: Path) -> None:
    folder = _stored(tmp_path)
    assert read_model(folder).card() == ""
    (folder / CARD).write_text("# µ", encoding="utf-8")
    assert read_model(folder).card() == "# µ"


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in _body().items() if name != key}


def _body() -> dict[str, Any]:
    appearance = {"background": 0.1, "contrast": 0.2, "spread": 0.1, "noise": 0.0, "sharpness": 0.1}
    return {
        "format": FORMAT,
        **dict.fromkeys(("name", "version", "description", "schema_name", "sha256", "safetensors_sha256"), "x"),
        **dict.fromkeys(("schema_version", "halo_px", "stride_px", "parameters"), 4),
        "roles": {"background": [0], "interior": [1], "boundary": [2]},
        "training": {},
        "records": [{"appearance": appearance, "objects": [[1.0, 0.2]]}],
    }


def test_the_description_that_is_spoiled_below_is_a_good_one(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_text(json.dumps(_body()))
    assert read_model(tmp_path).description.halo_px == 4


def test_a_model_for_patches_has_no_halo(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_text(json.dumps({**_body(), "halo_px": None}))
    assert read_model(tmp_path).description.halo_px is None


def test_a_model_of_another_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_text(json.dumps({**_body(), "format": "biosynth.generator/2"}))
    with pytest.raises(ConfigError, match="train the model again for this version"):
        read_model(tmp_path)


def test_a_record_tells_of_its_labels_and_kind(tmp_path: Path) -> None:
    labels = {"object_px": 12.0, "density": 300.0, "background": 0.7}
    described = [{**_body()["records"][0], "labels": labels, "kind": "stained"}]
    (tmp_path / DESCRIPTION).write_text(json.dumps({**_body(), "records": described}))
    [record] = read_model(tmp_path).description.records
    assert (record.labels, record.kind) == (LabelStatistics(**labels), "stained")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        *(json.dumps({**_body(), "halo_px": value}) for value in ("no", -1, 10**9, True, 4.0)),
        json.dumps({**_body(), "stride_px": 0}),
        "[]",
        '"text"',
        "null",
        json.dumps({**_body(), "roles": [0, 1, 2]}),
        json.dumps({**_body(), "records": [{}]}),
        json.dumps({**_body(), "records": []}),
        json.dumps({**_body(), "records": [{**_body()["records"][0], "objects": []}]}),
        json.dumps({**_body(), "records": [{**_body()["records"][0], "labels": {"object_px": 3}}]}),
        json.dumps({**_body(), "colour": "red"}),
        json.dumps({**_body(), "light": "rays"}),
        json.dumps({**_body(), "records": [{**_body()["records"][0], "shapes": [[0.0, 1.0, 1.0]] * 99}]}),
        *(json.dumps(_without(key)) for key in ("format", "name", "roles", "records")),
    ],
)
def test_a_folder_without_a_valid_description_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    (tmp_path / DESCRIPTION).write_text(text)
    with pytest.raises(ConfigError, match="model description at"):
        read_model(tmp_path)


def test_an_absent_description_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model description at"):
        read_model(tmp_path)


def test_a_shelf_lists_models_by_name_and_a_later_folder_wins(tmp_path: Path) -> None:
    for root, name in (("one", "b"), ("one", "a"), ("two", "b")):
        _stored(tmp_path / root, name, weights=root.encode())
    shelf = ModelShelf(tmp_path / "one", tmp_path / "two", tmp_path / "absent")
    assert [stored.description.name for stored in shelf.list()] == ["a", "b"]
    assert shelf.get("b").weights() == b"two"


def test_of_one_name_the_newest_of_the_last_folder_is_the_default_and_others_can_be_asked_for(tmp_path: Path) -> None:
    for root, version in (("one", "1"), ("one", "10"), ("one", "9"), ("two", "2")):
        _stored(tmp_path / root, "a", version=version)
    shelf = ModelShelf(tmp_path / "one", tmp_path / "two")
    assert [stored.description.version for stored in shelf.list()] == ["2", "10", "9", "1"]
    assert shelf.get("a").description.version == "2"
    assert shelf.get("a", "9").description.version == "9"
    with pytest.raises(UnknownName, match="a version of a among 1, 10, 2, 9; got '3'") as caught:
        shelf.get("a", "3")
    assert (caught.value.field, caught.value.metadata["asked"]) == ("version", "3")


def test_an_unknown_model_is_answered_with_those_there_are(tmp_path: Path) -> None:
    _stored(tmp_path, "a")
    with pytest.raises(UnknownName, match="among a; got 'c'"):
        ModelShelf(tmp_path).get("c")
    with pytest.raises(UnknownName, match="among none"):
        ModelShelf(tmp_path / "empty").get("c")
