"""Files that can be read as label maps, and most likely are none, or not those that are meant."""

from __future__ import annotations

import numpy as np

from services.common.imaging.labels import Labels

# Between neighbours, labels differ at borders alone: at a quarter of the pixels where objects are 5 px small and dense.
# Greys of a picture differ nearly everywhere.
_PICTURE_SHARE = 0.4
_PICTURE_VALUES = 16


def emptiness(labels: Labels) -> tuple[str, ...]:
    """What to say of masks without any object: a note; () where there is one. labels: (H, W)."""
    return () if labels.any() else ("no object is in it: every pixel is 0, the background",)


def is_picture(labels: Labels) -> bool:
    """Whether values change from pixel to pixel, as greys do. labels: (H, W).

    >>> noise = np.random.default_rng(0).integers(1, 200, (40, 40)).astype(np.int32)
    >>> is_picture(noise), is_picture(np.repeat(np.repeat(noise, 5, 0), 5, 1))
    (True, False)
    """
    left, right = labels[:, :-1], labels[:, 1:]
    both = (left > 0) & (right > 0)
    if np.count_nonzero((left != right) & both) <= _PICTURE_SHARE * np.count_nonzero(both):
        return False
    return len(np.unique(labels)) > _PICTURE_VALUES
