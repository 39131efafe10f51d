"""Tiles that fit together."""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.imaging.tiling import Box, Tile, Window, cut, gather, run_tiles

Case = tuple[int, int, int, int, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Height, width, side, halo and stride that fit together."""
    stride = draw(st.integers(1, 8))
    height, width, side = (stride * draw(st.integers(1, 20)) for _ in range(3))
    return height, width, side, stride * draw(st.integers(0, 6)), stride


@given(cases())
def test_the_inners_cover_every_pixel_exactly_once(case: Case) -> None:
    height, width, *rest = case
    seen = np.zeros((height, width), int)
    for tile in cut(height, width, *rest):
        seen[tile.inner.slices] += 1
    assert (seen == 1).all()


@given(cases())
def test_no_tile_is_larger_than_a_square_of_the_side_and_seams_are_no_longer_than_those_of_squares(case: Case) -> None:
    height, width, side, *_ = case
    inners = [tile.inner for tile in cut(*case)]
    assert max((inner.bottom - inner.top) * (inner.right - inner.left) for inner in inners) <= side * side
    down, across = (len({edge(inner) for inner in inners}) for edge in (attrgetter("top"), attrgetter("left")))
    squares = (-(-height // side) - 1) * width + (-(-width // side) - 1) * height
    assert (down - 1) * width + (across - 1) * height <= squares


def test_tiles_are_about_as_large_as_each_other() -> None:
    assert [tile.inner.slices[1] for tile in cut(32, 40, side=32, halo=4, stride=4)] == [slice(0, 20), slice(20, 40)]


def test_a_frame_is_halved_where_a_square_would_quarter_it() -> None:
    inners = [tile.inner.slices for tile in cut(1536, 2048, side=1280, halo=64, stride=8)]
    assert inners == [(slice(0, 1536), slice(0, 1024)), (slice(0, 1536), slice(1024, 2048))]


@given(cases())
def test_every_outer_lies_in_the_image_and_on_the_stride_grid(case: Case) -> None:
    height, width, *_, stride = case
    for tile in cut(*case):
        outer = tile.outer
        assert 0 <= outer.top < outer.bottom <= height
        assert 0 <= outer.left < outer.right <= width
        assert all(edge % stride == 0 for edge in (outer.top, outer.left, outer.bottom, outer.right))


@given(cases())
def test_an_outer_reaches_a_halo_beyond_its_inner_or_to_the_image_edge(case: Case) -> None:
    height, width, _, halo, _ = case
    for tile in cut(*case):
        inner, outer = tile.inner, tile.outer
        assert inner.top - outer.top == min(halo, inner.top)
        assert inner.left - outer.left == min(halo, inner.left)
        assert outer.bottom - inner.bottom == min(halo, height - inner.bottom)
        assert outer.right - inner.right == min(halo, width - inner.right)


@given(cases())
def test_an_inner_is_found_again_in_the_array_of_its_outer(case: Case) -> None:
    image = np.arange(case[0] * case[1]).reshape(case[:2])
    for tile in cut(*case):
        assert np.array_equal(image[tile.outer.slices][tile.inner.within(tile.outer)], image[tile.inner.slices])


def test_an_image_no_larger_than_a_tile_is_one_tile_without_halo() -> None:
    whole = Box(0, 0, 8, 12)
    assert list(cut(8, 12, side=16, halo=4, stride=4)) == [Tile(whole, whole)]


@pytest.mark.parametrize("case", [(9, 8, 8, 4, 4), (8, 9, 8, 4, 4), (8, 8, 6, 4, 4), (8, 8, 8, 3, 4)])
def test_a_size_off_the_stride_grid_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="divisible by 4"):
        list(cut(*case))


@given(st.lists(st.sampled_from([(4, 4), (4, 8), (32, 32)])), st.integers(0, 200))
def test_batches_are_neighbours_of_one_size_within_the_bound_in_their_order(
    sizes: list[tuple[int, int]], batch_px: int
) -> None:
    batches = list(gather(sizes, lambda size: size, batch_px))
    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        (height, width), *others = set(batch)
        assert not others
        assert len(batch) == 1 or len(batch) * height * width <= batch_px
    for first, second in pairwise(batches):  # as few as can be
        height, width = first[0]
        assert first[0] != second[0] or (len(first) + 1) * height * width > batch_px


@given(cases(), st.integers(0, 5000))
def test_tiles_in_batches_give_the_very_image(case: Case, batch_px: int) -> None:
    height, width, side, halo, stride = case
    image = np.random.default_rng(0).random((2, height, width), np.float32)
    seen: list[tuple[int, ...]] = []

    def planes_in(window: Window) -> NDArray[np.float32]:
        return image[:, *window]

    def run(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(planes.shape)
        return planes[:, ::-1] + 1

    assert np.array_equal(run_tiles(run, planes_in, (height, width), side, halo, stride, batch_px), image[::-1] + 1)
    assert sum(batch for batch, *_ in seen) == len(list(cut(*case)))
    assert all(batch == 1 or batch * height * width <= batch_px for batch, _, height, width in seen)
