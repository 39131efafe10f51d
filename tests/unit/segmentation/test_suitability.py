"""Whether anything should be made of a segmentation."""

from __future__ import annotations

import numpy as np
import pytest

from services.common.imaging.labels import Segmentation
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import AUTO, Choice, pick
from services.segmentation.suitability import unsuitable
from tests.support.pictures import nuclei_picture
from tests.support.unsuitable import UNSUITABLE

NONE, SOME = np.zeros((4, 4), np.int32), np.eye(4, dtype=np.int32)
NO_WOUND, WOUND, EVERYWHERE = np.zeros((4, 4), np.bool_), np.eye(4, dtype=np.bool_), np.ones((4, 4), np.bool_)
CHOICE = Choice(builtin_segmenters()["scratch"])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Segmentation(nuclei=NONE), "Nothing was found: no nuclei."),
        (Segmentation(cells=NONE, nuclei=NONE), "Nothing was found: no cells and no nuclei."),
        (Segmentation(cells=NONE, wound=NO_WOUND), "Nothing was found: no cells."),
        (Segmentation(cells=NONE, wound=EVERYWHERE), "Nothing was found: no cells."),
    ],
)
def test_a_segmentation_without_objects_says_which_were_sought(found: Segmentation, said: str) -> None:
    assert unsuitable(CHOICE, found) == (said,)
    assert unsuitable(Choice(CHOICE.segmenter, warnings=("It is odd.",)), found) == (said, "It is odd.")


@pytest.mark.parametrize(
    "found",
    [
        Segmentation(nuclei=SOME),
        Segmentation(cells=SOME, nuclei=NONE),
        Segmentation(cells=SOME, wound=NO_WOUND),
        Segmentation(cells=NONE, wound=WOUND),
        Segmentation(wound=NO_WOUND),  # a closed wound is an answer
    ],
)
def test_objects_or_a_wound_are_something(found: Segmentation) -> None:
    assert unsuitable(CHOICE, found) == ()


@pytest.mark.parametrize("case", UNSUITABLE)
@pytest.mark.parametrize("name", [AUTO, "nuclei"])
def test_an_image_unlike_any_is_unsuitable_whatever_was_found_in_it(case: str, name: str) -> None:
    assert unsuitable(pick(builtin_segmenters(), name, UNSUITABLE[case]()), Segmentation(nuclei=SOME))


def test_an_ordinary_image_is_suitable() -> None:
    assert unsuitable(pick(builtin_segmenters(), AUTO, nuclei_picture()), Segmentation(nuclei=SOME)) == ()
