"""From a reference to an image, with an engine whose every value can be checked."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import InvalidArgument, InvalidReference
from services.common.imaging.tiling import run_tiles
from services.generation.conditions import draw_texture
from services.generation.generate import generate, held_up
from services.generation.looks import AppearanceRecord
from tests.unit.generation.fakes import DEVIATION, INTERIOR, LOOKS, MEAN, BoxEngine, description, disks, windows_of

SIZES = [(1, 1), (5, 7), (1, 130), (64, 64), (401, 503)]
# Uses no plane that is drawn pixel by pixel.
PLAIN = BoxEngine((INTERIOR, MEAN, DEVIATION))


@pytest.mark.parametrize("size", SIZES)
def test_tiles_give_the_very_image_of_the_whole(size: tuple[int, int]) -> None:
    reference, tiled, whole = disks(*size), BoxEngine(), BoxEngine()
    first = generate(reference, description(), tiled, seed=3, tile_px=48)
    second = generate(reference, description(), whole, seed=3, tile_px=512)
    assert first.image.shape == size
    assert first.image.dtype == np.uint8
    assert first.image.tobytes() == second.image.tobytes()
    assert len(whole.shapes) == 1
    assert len(tiled.shapes) >= size[0] * size[1] / 48**2


@pytest.mark.parametrize("size", [(4, 4), (8, 132), (64, 64), (404, 504)])
def test_tiles_give_the_very_floats_of_the_whole(size: tuple[int, int]) -> None:
    planes = windows_of(np.random.default_rng(0).random((10, *size), np.float32))
    tiled, whole = (run_tiles(BoxEngine().run, planes, size, side, 8, 4)[0] for side in (32, 512))
    assert np.array_equal(tiled, whole)


def test_a_halo_shorter_than_the_reach_would_show() -> None:
    planes = windows_of(np.random.default_rng(0).random((10, 96, 96), np.float32))
    whole, seamed = (run_tiles(BoxEngine().run, planes, (96, 96), side, 0, 4)[0] for side in (96, 32))
    seams = np.argwhere(whole != seamed)
    assert len(seams)
    assert (np.minimum(seams % 32, 31 - seams % 32).min(1) < 4).all()


def test_the_engine_sees_only_sizes_of_its_stride() -> None:
    engine = BoxEngine()
    generate(disks(101, 75), description(), engine, tile_px=48)
    assert all(height % 4 == 0 and width % 4 == 0 for *_, height, width in engine.shapes)


def test_one_seed_gives_one_image_and_another_seed_another() -> None:
    reference = disks(60, 80)
    first, again, other = (generate(reference, description(), BoxEngine(), seed).image for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_an_ordered_background_comes_out_where_nothing_is() -> None:
    reference = disks(120, 120, step=120, radius=8)
    ordered = {"background": 0.4, "contrast": 0.2, "noise": 0.0}
    made = generate(reference, description(), PLAIN, 1, ordered)
    assert (made.image[:30] == round(255 * 0.4)).all()
    assert made.image[60, 60] > round(255 * 0.4)
    look = made.look.appearance
    assert (look.background, look.contrast, look.noise) == (0.4, 0.2, 0.0)


def test_an_ordered_noise_is_the_deviation_of_the_background() -> None:
    empty = np.zeros((200, 200), np.uint8)
    image = generate(empty, description(), PLAIN, 1, {"background": 0.5, "noise": 0.1}).image
    assert image.std() == pytest.approx(25.5, rel=0.03)


def test_without_noise_the_seed_decides_the_look_alone() -> None:
    one = (AppearanceRecord(LOOKS[0].appearance, ((1.0, 0.2),)),)
    reference = disks(100, 100)
    quiet = [generate(reference, description(one), PLAIN, seed, {"noise": 0.0}).image for seed in (1, 2)]
    noisy = [generate(reference, description(one), PLAIN, seed, {"noise": 0.05}).image for seed in (1, 2)]
    assert np.array_equal(quiet[0], quiet[1])
    assert not np.array_equal(noisy[0], noisy[1])


def test_an_ordered_contrast_of_0_gives_a_flat_field() -> None:
    ordered = {"background": 0.3, "contrast": 0.0, "noise": 0.0}
    image = generate(disks(50, 50), description(), BoxEngine(), 1, ordered).image
    assert np.unique(image).tolist() == [round(255 * 0.3)]


def test_brightness_is_clipped_to_what_8_bit_hold() -> None:
    image = generate(disks(50, 50), description(), BoxEngine(), 1, {"background": 1.0, "noise": 1.0}).image
    assert {0, 255} <= set(np.unique(image).tolist())


def test_a_level_beyond_the_schema_is_refused_with_what_to_send() -> None:
    grey = disks(20, 20) * 127
    with pytest.raises(
        InvalidReference, match=r"levels 0 to 2 \(nuclei3, of model fake\), got 254; send reference.png"
    ):
        generate(grey, description(), BoxEngine())


def test_an_appearance_that_no_image_has_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="noise"):
        generate(disks(20, 20), description(), BoxEngine(), ordered={"noise": 2.0})


def test_texture_is_drawn_for_the_whole_image_not_by_tile() -> None:
    # A tile drawn on its own differs from its part of the whole: seams would show.
    whole = draw_texture((64, 64), np.random.default_rng(0))
    assert not np.array_equal(whole[:, :32, :32], draw_texture((32, 32), np.random.default_rng(0)))


def test_a_label_map_that_passes_for_a_reference_is_doubted_and_a_reference_is_not() -> None:
    labels = (disks(64, 64) > 0).astype(np.uint8)  # of one object, whose number is the level of interiors
    made = generate(labels, description(), BoxEngine())
    assert "`biosynth render` draws the reference under" in made.warnings[0]
    assert not any("label map" in warning for warning in generate(disks(64, 64), description(), BoxEngine()).warnings)


def test_beside_an_object_nothing_is_darker_than_the_ground_and_all_else_stays() -> None:
    objects = np.zeros((100, 100), np.int32)
    objects[40:60, 40:60] = 1
    clean = np.random.default_rng(0).normal(0, 0.01, objects.shape).astype(np.float32)
    clean[objects > 0], clean[39, 40:60], clean[50, 50] = 1.0, -0.5, -0.5
    held = held_up(clean, objects)
    assert held[39, 40:60].min() > -0.05
    assert held[50, 50] == clean[50, 50]
    kept = (objects > 0) | (clean > -0.02)
    assert np.array_equal(held[kept], clean[kept])
    assert held.dtype == np.float32
    crowded = np.ones_like(objects)
    crowded[39] = 0
    assert held_up(clean, crowded) is clean
