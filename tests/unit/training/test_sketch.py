"""References drawn by rule are like those of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.common.errors import ConfigError
from services.generation.looks import AppearanceRecord, LabelStatistics, describe_labels
from services.generation.roles import find_objects
from services.reference.schemas import builtin_schemas, named
from services.training.datasets.roles import roles_of
from services.training.generator.sketch import SIDE_PX, sketch, usual_labels
from tests.unit.generation.fakes import LOOKS, description

LIKE = LabelStatistics(object_px=16.0, density=900.0, background=0.8)


def record(object_px: float, kind: str) -> AppearanceRecord:
    return replace(LOOKS[0], labels=replace(LIKE, object_px=object_px), kind=kind)


@pytest.mark.parametrize("name", builtin_schemas())
def test_a_sketch_shows_every_level_of_its_schema(name: str) -> None:
    schema = named(name)
    reference = sketch(schema, LIKE, True, np.random.default_rng(0)).reference
    assert reference.shape == (SIDE_PX, SIDE_PX)
    assert np.unique(reference).tolist() == [level.index for level in schema.levels]


@pytest.mark.parametrize("name", ["nuclei3", "cells4"])
def test_its_objects_are_as_large_and_as_many_as_asked(name: str) -> None:
    roles = roles_of(named(name))
    drawn = [sketch(named(name), LIKE, False, np.random.default_rng(seed)).reference for seed in range(4)]
    found = [describe_labels(find_objects(reference, roles)) for reference in drawn]
    assert np.mean([labels.object_px for labels in found]) == pytest.approx(LIKE.object_px, rel=0.15)
    assert np.mean([labels.density for labels in found]) == pytest.approx(LIKE.density, rel=0.15)
    assert np.mean([labels.background for labels in found]) == pytest.approx(LIKE.background, abs=0.05)


def test_a_wound_is_drawn_where_asked_and_free_of_cells() -> None:
    whole, scratched = (sketch(named("cells4"), LIKE, wound, np.random.default_rng(0)) for wound in (False, True))
    assert whole.level_pixels[0] == 0
    assert 0.3 < scratched.level_pixels[0] / SIDE_PX**2 < 0.45
    assert (scratched.reference[:, SIDE_PX * 3 // 4 :] == 0).all()


def test_labels_are_chosen_of_each_kind_from_small_to_large() -> None:
    records = (*(record(size, "a") for size in range(10, 50)), *(record(size, "b") for size in (5, 7, 90)))
    chosen = usual_labels(replace(description(), records=records), 4)
    assert [(labels.object_px, kind) for labels, kind in chosen] == [(5, "b"), (20, "a"), (40, "a"), (90, "b")]
    [(labels, kind)] = usual_labels(replace(description(), records=records), 1)
    assert (labels.object_px, kind) == (30, "a")


def test_a_model_without_label_statistics_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="got none; measure them with `biosynth train generator DATASET"):
        usual_labels(description(), 4)
