"""Memory does not grow with the number of images: sets are read an image at a time."""

from __future__ import annotations

import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from biosynth.v1.evaluation_pb2 import ImageSet
from biosynth.v1.types_pb2 import Content, ObjectRef

from services.common.imaging.images import encode_png
from services.common.serving.runtime import Runtime, opened
from services.common.storage.folder import FolderStore
from services.evaluation.evaluate import evaluate
from services.evaluation.fields_of import FieldsOf
from services.evaluation.image_sets import read_set
from services.evaluation.paired import compare_pairs
from services.evaluation.pictures import Picture, PictureSet
from services.evaluation.sets.field import FieldSet
from services.evaluation.sets.metric import Measured, everyone
from services.evaluation.sets.wasserstein import scaled_wasserstein
from tests.support.pictures import nuclei_picture

SIDE_PX = 256


class Watched(Sequence[Picture]):
    """Small pictures, each made when it is asked for, and the most that were in memory at a time."""

    def __init__(self, count: int, alive: Counter[str]) -> None:
        self._count, self._alive = count, alive

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Picture:  # type: ignore[override]  # no code under test asks for slices
        image = nuclei_picture(64, 64, 4, index)
        self._alive["now"] += 1
        self._alive["most"] = max(self._alive["most"], self._alive["now"])
        weakref.finalize(image, self._alive.subtract, ["now"])
        return Picture(str(index), image)


@pytest.mark.parametrize("count", [4, 16])
def test_a_comparison_holds_a_few_images_however_many_there_are(count: int) -> None:
    alive: Counter[str] = Counter()
    names = tuple(map(str, range(count)))
    sets = [PictureSet(name, names, Watched(count, alive)) for name in ("real", "made", "train")]
    evaluate(sets[0], sets[1:2], train=sets[2])
    assert 2 <= alive["most"] <= 4


def _peak(work: Callable[[], object]) -> int:
    """Bytes at most allocated at a time, by Python and by numpy."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _stored(runtime: Runtime, name: str, count: int) -> PictureSet:
    """A set of so many fields in the store, which are a few images over and over."""
    keys = [f"inputs/{seed}.png" for seed in range(5)]
    for seed, key in enumerate(keys):
        runtime.store.put(key, encode_png(nuclei_picture(SIDE_PX, SIDE_PX, 20, seed)), "image/png")
    message = ImageSet(name=name)
    for number in range(count):
        message.fields.add(name=str(number), image=Content(object=ObjectRef(key=keys[number % len(keys)])))
    return read_set(message, runtime, "real")


def _as_fields(pictures: PictureSet) -> int:
    return sum(1 for _ in FieldSet(FieldsOf(pictures), "real"))


def _in_pairs(pictures: PictureSet) -> int:
    return sum(1 for _ in compare_pairs((picture.image, picture.image[::-1]) for picture in pictures.pictures))


@pytest.mark.parametrize(("work", "few", "many"), [(_as_fields, 100, 400), (_in_pairs, 25, 100)])
def test_four_times_the_stored_images_take_hardly_more_memory(
    tmp_path: Path, work: Callable[[PictureSet], int], few: int, many: int
) -> None:
    with opened(FolderStore(tmp_path), 1) as runtime:
        sets = [_stored(runtime, "real", count) for count in (2, few, many)]
        work(sets[0])  # what is imported and cached once
        peaks = [_peak(partial(work, pictures)) for pictures in sets[1:]]
    assert peaks[1] - peaks[0] < (many - few) * SIDE_PX**2 / 20


def test_distributions_of_a_thousand_fields_take_less_than_a_small_part_of_their_images() -> None:
    generator = np.random.default_rng(0)

    def fields() -> list[Measured]:
        return [Measured(str(number), generator.random((1, 9))) for number in range(1000)]

    def work() -> None:
        real, made = fields(), fields()
        scaled_wasserstein([0.01] * 9)(real, made)(everyone(real), everyone(made))

    assert _peak(work) < 2 * 1000 * SIDE_PX**2 / 4
