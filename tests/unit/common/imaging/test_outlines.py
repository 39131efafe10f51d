"""Outlines of labels."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.imaging.outlines import outlines


@pytest.mark.parametrize("first", [1, 255, 2**24 - 1, 2**24, 2**31 - 2])
def test_two_labels_that_touch_are_both_outlined_whatever_their_numbers(first: int) -> None:
    labels = np.full((4, 8), first, np.int32)
    labels[:, 4:] = first + 1
    drawn = outlines(labels)
    np.testing.assert_array_equal(drawn, np.where((np.arange(8) == 3) | (np.arange(8) == 4), labels, 0))
    assert drawn.dtype == np.int32


def test_an_image_without_objects_has_no_outlines() -> None:
    assert not outlines(np.zeros((3, 5), np.int32)).any()
