"""Objects that a reference shows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from scipy import ndimage

from services.generation.roles import LevelRoles, find_objects

# Levels 0 and 3 are background, 1 and 4 interior, 2 boundary: roles need be neither sorted nor single.
ROLES = LevelRoles(background=(0, 3), interior=(4, 1), boundary=(2,))


@st.composite
def references(draw: st.DrawFn) -> NDArray[np.uint8]:
    shape = draw(npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=10))
    drawn = draw(npst.arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 3, 1, 4, 2])))
    times = draw(st.sampled_from([1, 3]))
    return drawn.repeat(times, axis=0).repeat(times, axis=1)


def test_the_roles_together_count_the_levels() -> None:
    assert ROLES.count == 5


def _cores(reference: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Interiors, and objects that are boundary throughout."""
    interior = np.isin(reference, ROLES.interior)
    wholes, count = ndimage.label(~np.isin(reference, ROLES.background), np.ones((3, 3)))
    lonely = [number for number in range(1, count + 1) if not (interior & (wholes == number)).any()]
    cores: NDArray[np.bool_] = interior | np.isin(wholes, lonely)
    return cores


@given(references())
def test_all_but_background_belongs_to_objects(reference: NDArray[np.uint8]) -> None:
    objects = find_objects(reference, ROLES)
    assert objects.shape == reference.shape
    assert objects.dtype == np.int32
    assert np.array_equal(objects == 0, np.isin(reference, ROLES.background))


@given(references())
def test_objects_are_the_8_connected_pieces_of_interior_numbered_from_1(reference: NDArray[np.uint8]) -> None:
    objects = find_objects(reference, ROLES)
    interior = _cores(reference)
    pieces, count = ndimage.label(interior, np.ones((3, 3)))
    assert set(np.unique(objects[interior])) == set(range(1, count + 1))
    assert len(set(zip(pieces[interior], objects[interior], strict=True))) == count
    assert objects.max() == count


@given(references())
def test_a_boundary_pixel_goes_to_the_nearest_interior(reference: NDArray[np.uint8]) -> None:
    objects = find_objects(reference, ROLES)
    interior = _cores(reference)
    if not interior.any():
        return
    nearest = ndimage.distance_transform_edt(~interior)
    for number in range(1, int(objects.max()) + 1):
        own = (objects == number) & (reference == 2)
        to_own = ndimage.distance_transform_edt(~((objects == number) & interior))
        # The 5 x 5 chamfer distance is within a few per cent of the Euclidean one.
        assert (to_own[own] <= 1.06 * nearest[own] + 1e-6).all()


def test_two_touching_nuclei_stay_two_objects() -> None:
    reference = np.zeros((7, 11), np.uint8)
    reference[1:6, 1:10] = 2
    reference[2:5, 2:5] = reference[2:5, 6:9] = 1
    objects = find_objects(reference, ROLES)
    assert set(np.unique(objects[:, 1:5])) == {0, 1}
    assert set(np.unique(objects[:, 6:10])) == {0, 2}


def test_objects_are_found_twice_alike() -> None:
    reference = np.random.default_rng(0).integers(0, 5, (200, 300)).astype(np.uint8)
    assert find_objects(reference, ROLES).tobytes() == find_objects(reference, ROLES).tobytes()


def test_a_label_that_is_boundary_throughout_is_an_object_of_its_own() -> None:
    reference = np.zeros((12, 20), np.uint8)
    reference[2:8, 2:8] = 2
    reference[3:7, 3:7] = 1
    reference[3:6, 14:17] = 2  # a small label under a thick boundary
    objects = find_objects(reference, LevelRoles(background=(0,), interior=(1,), boundary=(2,)))
    assert objects.max() == 2
    assert len(np.unique(objects[3:6, 14:17])) == 1 and objects[4, 15] != objects[4, 4]
