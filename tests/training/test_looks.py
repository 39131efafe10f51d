"""The looks that a model file keeps. Needs no torch, but belongs to training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import InvalidArgument
from services.common.imaging.images import encode_png
from services.generation.model import CARD, PICTURE, SHIPPED, WEIGHTS, read_model, write_description
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import load_fields
from services.training.generator.looks import records_of, renew_looks
from services.training.generator.picture import draw_samples
from tests.unit.generation.fakes import description


def test_records_tell_of_their_labels_and_kind_and_leave_out_fields_without_objects(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    records = records_of(load_fields(dataset, manifest.chosen("train"), manifest.roles))
    assert [record.kind for record in records] == ["s", "s"]  # the third field has no object
    assert all(record.labels is not None and record.labels.object_px > 5 for record in records)


def test_looks_are_renewed_under_a_new_version_and_weights_stay(dataset: Path, tmp_path: Path) -> None:
    write_description(tmp_path, description(name="disks"))
    (tmp_path / CARD).write_text("# disks 1\n\nDisks.\n")
    renewed = renew_looks(tmp_path, dataset, "2")
    again = read_model(tmp_path).description
    assert again == renewed
    assert again == replace(description(name="disks"), version="2", records=again.records)
    assert [record.kind for record in again.records] == ["s", "s"]
    assert (tmp_path / CARD).read_text() == "# disks 2\n\nDisks.\n"


def test_renewed_looks_renew_the_picture(dataset: Path, tmp_path: Path) -> None:
    shipped = read_model(SHIPPED / "fluo-nuclei")
    write_description(tmp_path, replace(shipped.description, training={}))
    (tmp_path / WEIGHTS).write_bytes(shipped.weights())
    old = (shipped.folder / PICTURE).read_bytes()
    (tmp_path / PICTURE).write_bytes(old)
    renewed = renew_looks(tmp_path, dataset, "next")
    engine = OnnxCpuEngine(tmp_path / WEIGHTS)
    assert (tmp_path / PICTURE).read_bytes() == encode_png(draw_samples(renewed, engine, ())) != old


def test_looks_that_cannot_be_shown_leave_the_model_as_it_was(dataset: Path, tmp_path: Path) -> None:
    write_description(tmp_path, description(name="disks"))
    for name, data in ((CARD, b"# disks 1\n"), (PICTURE, b"a picture"), (WEIGHTS, b"no network")):
        (tmp_path / name).write_bytes(data)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Exception, match="Protobuf parsing failed"):
        renew_looks(tmp_path, dataset, "2")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_looks_of_another_schema_or_under_the_same_version_are_refused(dataset: Path, tmp_path: Path) -> None:
    write_description(tmp_path, description())
    for version in ("1", ""):
        with pytest.raises(InvalidArgument, match="a new version with --version; the model is version 1"):
            renew_looks(tmp_path, dataset, version)
    write_description(tmp_path, replace(description(), training={"dataset": "other"}))
    with pytest.raises(InvalidArgument, match="the dataset that model fake was trained on, other; got disks"):
        renew_looks(tmp_path, dataset, "2")
    write_description(tmp_path, replace(description(), schema_name="cells4"))
    with pytest.raises(InvalidArgument, match=r"dataset under cells4 v1.*got one under nuclei3"):
        renew_looks(tmp_path, dataset, "2")
