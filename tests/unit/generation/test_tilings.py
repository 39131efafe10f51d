"""The ways to put an image together, with the shipped model and with an engine whose every value can be checked."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.engines.halving import run_halved
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import DeviceFull, ImageTooLarge
from services.common.progress import LISTENER
from services.evaluation.sets.seam import seam_ratio
from services.generation.conditions import plane_count
from services.generation.generate import generate
from services.generation.model import SHIPPED, ModelDescription, ModelShelf
from services.generation.patches import PATCH_PX, cut_axis
from services.generation.tilings import OVERLAP_PX, WHOLE_PIXELS, Tiling, run_tiled
from tests.unit.generation.fakes import BoxEngine, description, disks, windows_of

TILE_PX = 64  # so that small images have several
HALO_PX = 44  # of the shipped model; nothing further away can change a pixel
PATCHED = (Tiling.BLEND, Tiling.CONCAT)
# Around multiples of the tile's side, where tiles end, and anything else.
LENGTHS = st.one_of(st.integers(1, 150), st.sampled_from([n * TILE_PX + off for n in (1, 2) for off in range(-4, 5)]))


@cache
def shipped() -> tuple[ModelDescription, Engine]:
    stored = ModelShelf(SHIPPED).get("fluo-nuclei")
    return stored.description, OnnxCpuEngine(stored.weights(), threads=1)


def planes_of(height: int, width: int) -> NDArray[np.float32]:
    """Input planes of a model under `nuclei3`, as wild as they come."""
    return np.random.default_rng(height * 1000 + width).standard_normal((plane_count(3), height, width), np.float32)


def run(tiling: Tiling, planes: NDArray[np.float32], engine: Engine | None = None) -> NDArray[np.float32]:
    model, own = shipped()
    height, width = planes.shape[1:]
    return run_tiled(tiling, engine or own, model, windows_of(planes), (height, width), TILE_PX)


@settings(max_examples=15, deadline=None)
@given(LENGTHS, LENGTHS)
@example(1, 1)
@example(3, 129)
@example(TILE_PX, TILE_PX + 1)
def test_exact_is_the_whole_for_any_size(height: int, width: int) -> None:
    planes = planes_of(-(-height // 4) * 4, -(-width // 4) * 4)
    assert np.abs(run(Tiling.EXACT, planes) - run(Tiling.WHOLE, planes)).max() < 1e-4

    model, engine = shipped()
    exact, whole = (
        generate(disks(height, width), model, engine, seed=3, tiling=tiling, tile_px=TILE_PX).image.astype(int)
        for tiling in (Tiling.EXACT, Tiling.WHOLE)
    )
    assert exact.shape == (height, width)
    assert np.abs(exact - whole).max() <= 1


@pytest.mark.parametrize("tiling", Tiling)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 131), (PATCH_PX, PATCH_PX)])
def test_an_image_of_one_patch_is_the_same_in_every_way(tiling: Tiling, size: tuple[int, int]) -> None:
    made, whole = (generate(disks(*size), description(), BoxEngine(), 1, tiling=one) for one in (tiling, Tiling.WHOLE))
    assert made.image.shape == size
    assert made.image.tobytes() == whole.image.tobytes()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 180), st.integers(1, 180), st.sampled_from(PATCHED))
def test_patches_differ_from_the_whole_only_near_their_edges(rows: int, columns: int, tiling: Tiling) -> None:
    planes = planes_of(4 * rows, 4 * columns)
    made, whole = (run(one, planes, BoxEngine()) for one in (tiling, Tiling.WHOLE))
    step = PATCH_PX - (OVERLAP_PX if tiling is Tiling.BLEND else 0)
    down, right = (near_steps(length, step, reach=8) for length in made.shape)
    assert np.allclose(made[~down][:, ~right], whole[~down][:, ~right], atol=1e-5)


def near_steps(length: int, step: int, reach: int) -> NDArray[np.bool_]:
    """Pixels of an axis that a patch's edge at a multiple of `step` can change."""
    positions = np.arange(length)
    return np.asarray(((positions + reach) % step < 2 * reach) & (positions >= step - reach))


def test_concat_differs_from_the_whole_at_its_seams_and_nowhere_else() -> None:
    planes = planes_of(2 * PATCH_PX, PATCH_PX)
    off = np.abs(run(Tiling.CONCAT, planes) - run(Tiling.WHOLE, planes)).max(1)  # of each row
    at_seam, far = off[PATCH_PX - 2 : PATCH_PX + 2], np.r_[off[: PATCH_PX - HALO_PX], off[PATCH_PX + HALO_PX :]]
    assert at_seam.min() > 0.1
    assert far.max() < 1e-4


def test_concat_shows_seams_where_the_other_ways_show_none() -> None:
    model, engine = shipped()
    reference = disks(2 * PATCH_PX, PATCH_PX + 20)  # the seam cuts a row of nuclei
    ordered = {"noise": 0.0}
    score = {
        tiling: seam_ratio(
            generate(reference, model, engine, 1, ordered, tiling=tiling).image.astype(np.float32), PATCH_PX
        )
        for tiling in Tiling
    }
    assert score[Tiling.CONCAT] > 1.3 * score[Tiling.WHOLE]
    assert score[Tiling.EXACT] == pytest.approx(score[Tiling.WHOLE], rel=0.01)
    assert score[Tiling.BLEND] == pytest.approx(score[Tiling.WHOLE], rel=0.02)


def test_blend_is_far_nearer_to_the_whole_than_concat_but_not_it() -> None:
    planes = planes_of(2 * PATCH_PX, PATCH_PX)
    whole = run(Tiling.WHOLE, planes)
    blend, concat = (np.abs(run(tiling, planes) - whole).max() for tiling in PATCHED)
    assert 0 < blend < concat / 10


@given(st.integers(1, 2000), st.sampled_from([0, OVERLAP_PX]))
def test_what_patches_count_sums_to_one_at_every_pixel(length: int, overlap_px: int) -> None:
    total, seen = np.zeros(length), np.zeros(length, int)
    for stretch in cut_axis(length, overlap_px):
        total[stretch.pixels] += stretch.weights
        seen[stretch.pixels] += 1
        assert (stretch.weights > 0).all() and len(stretch.weights) <= PATCH_PX
    assert np.allclose(total, 1, atol=1e-6)
    assert set(seen.tolist()) <= ({1, 2} if overlap_px else {1})


def test_weights_of_a_blend_change_by_little_from_pixel_to_pixel() -> None:
    for stretch in cut_axis(1000, OVERLAP_PX):
        assert np.abs(np.diff(stretch.weights)).max() < 0.02


def test_the_texture_is_that_of_the_whole_image_in_every_way() -> None:
    # An engine that passes the texture through: patches drawn each for itself would differ.
    class Texture(BoxEngine):
        def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
            return planes[:, -1:]

    images = {
        generate(disks(300, 270), description(), Texture(), 5, {"noise": 0.0}, tiling=tiling).image.tobytes()
        for tiling in (Tiling.EXACT, Tiling.WHOLE, Tiling.CONCAT)
    }
    assert len(images) == 1


@pytest.mark.parametrize(("tiling", "steps"), [(Tiling.BLEND, 6), (Tiling.CONCAT, 4), (Tiling.WHOLE, 1)])
def test_progress_is_told_patch_by_patch(tiling: Tiling, steps: int) -> None:
    told: list[tuple[int, int]] = []
    token = LISTENER.set(lambda done, total: told.append((done, total)))
    try:
        generate(disks(300, 500), description(), BoxEngine(), tiling=tiling)
    finally:
        LISTENER.reset(token)
    assert told == [(done, steps) for done in range(1, steps + 1)]


def test_more_pixels_than_the_network_may_see_at_once_are_refused_before_any_work() -> None:
    engine = BoxEngine()
    beyond = np.zeros((1, WHOLE_PIXELS + 1), np.uint8)
    with pytest.raises(ImageTooLarge, match=r"at most 4194304 pixels for tiling whole.*got 4194305; the tiling exact"):
        generate(beyond, description(), engine, tiling=Tiling.WHOLE)
    assert engine.shapes == []


@pytest.mark.parametrize("most", [1, 3, 100])
@pytest.mark.parametrize(
    ("tiling", "size"), [(Tiling.EXACT, (401, 303)), (Tiling.BLEND, (600, 700)), (Tiling.CONCAT, (600, 700))]
)
def test_pixels_are_the_same_whatever_the_batch_and_however_often_memory_fails(
    tiling: Tiling, size: tuple[int, int], most: int
) -> None:
    class Small(BoxEngine):
        """Has memory for so many inputs."""

        def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
            return run_halved(self._run, planes, free=lambda: None)

        def _run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
            if len(planes) > most:
                raise DeviceFull("full")
            return super().run(planes)

    one_by_one, together = BoxEngine(), Small(batch_px=2048 * 1024)
    expected, made = (
        generate(disks(*size), description(), engine, 3, tiling=tiling, tile_px=48).image
        for engine in (one_by_one, together)
    )
    assert made.tobytes() == expected.tobytes()
    assert {shape[0] for shape in one_by_one.shapes} == {1}
    largest = max(shape[0] for shape in together.shapes)
    assert largest <= most and (largest > 1) == (most > 1)
