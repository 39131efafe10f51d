"""Random crops of a dataset. Needs no torch, but belongs to training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generation.conditions import plane_count
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import Crops, Field, load_fields, pad_to


def _fields(dataset: Path) -> list[Field]:
    manifest = read_manifest(dataset)
    return load_fields(dataset, manifest.chosen("train"), manifest.roles)


def test_a_batch_holds_planes_and_the_image_in_units_of_its_contrast(dataset: Path) -> None:
    batch = Crops(_fields(dataset), 3, 48, np.random.default_rng(0)).batch(5)
    assert batch.planes.shape == (5, plane_count(3), 48, 48)
    assert batch.target.shape == (5, 1, 48, 48)
    assert batch.scale.shape == (5, 3)
    assert all(array.dtype == np.float32 for array in (batch.planes, batch.target, batch.scale))
    for planes, target, (background, contrast, _) in zip(batch.planes, batch.target, batch.scale, strict=True):
        assert background == pytest.approx(30 / 255, abs=0.01)
        inside, outside = planes[1] > 0, planes[0] > 0
        if inside.any():
            assert contrast == pytest.approx(100 / 255, abs=0.02)
            # Planes and target were turned alike.
            assert target[0, inside].mean() == pytest.approx(1.0, abs=0.1)
        assert abs(target[0, outside].mean()) < 0.1 or not inside.any()


def test_one_seed_draws_one_batch(dataset: Path) -> None:
    first, second = (Crops(_fields(dataset), 3, 32, np.random.default_rng(4)).batch(3) for _ in range(2))
    assert np.array_equal(first.planes, second.planes)
    assert np.array_equal(first.target, second.target)


def test_a_field_smaller_than_a_crop_is_mirrored(dataset: Path) -> None:
    field = _fields(dataset)[1]
    assert field.image.shape == (40, 24)
    padded = pad_to(field, 64)
    assert padded.image.shape == padded.reference.shape == padded.objects.shape == (64, 64)
    assert np.array_equal(padded.image[:40, 24:48], field.image[:, ::-1])
    assert pad_to(field, 24) is field


def test_sources_are_drawn_alike_however_many_fields_each_has(dataset: Path) -> None:
    fields = _fields(dataset)
    many = [fields[0]] * 9
    other = replace(fields[2], entry=replace(fields[2].entry, source="t"), image=fields[2].image + np.float32(5))
    batch = Crops([*many, other], 3, 16, np.random.default_rng(0)).batch(200)
    share = (batch.target.mean((1, 2, 3)) > 6).mean()
    assert share == pytest.approx(0.5, abs=0.12)


def test_fields_without_an_object_are_nothing_to_train_on(dataset: Path) -> None:
    with pytest.raises(InvalidArgument, match="fields that show objects; got 1 fields"):
        Crops([_fields(dataset)[1]], 3, 32, np.random.default_rng(0))
    with pytest.raises(InvalidArgument, match="got 0 fields"):
        Crops([], 3, 32, np.random.default_rng(0))
