"""`python -m tests.bench.wounds` on the real data packs: which images show a scratch, and how narrow ones come out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from skimage.measure import label

from services.common.imaging.images import decode_image
from services.common.imaging.labels import Mask
from services.segmentation.band import fronts_of
from services.segmentation.segmenter import Image
from services.segmentation.wound import find_cell_free, find_wound
from services.segmentation.wound_series import follow_wound

PACKS = ("wound", "usiigaci-phase", "yeast-phase", "bbbc039-nuclei", "dsb2018-fluo")
FRAMES = ("sas_00.jpg", "sas_10.jpg", "cp_DMSO_B5_t24.jpg")
SHARES = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.0)


def main() -> int:
    """Print both tables."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder:
        print("set BIOSYNTH_TEST_DATA to the folder that holds the data packs", file=sys.stderr)
        return 2
    print(f"{'pack':<16}{'images':>8}{'bare ground spans':>20}{'scratch':>9}")
    for pack in PACKS:
        images = [_image(path) for path in sorted((Path(folder) / pack / "images").iterdir())]
        spans = sum(_spans(find_cell_free(image)) for image in images)
        print(f"{pack:<16}{len(images):>8}{spans:>20}{sum(find_wound(image).any() for image in images):>9}")
    print("\nmean width of the wound in 1/1000 of the longer side: true, in a series, alone")
    for name in FRAMES:
        image = _image(Path(folder) / "wound" / "images" / name)
        print(name, *(f"{'/'.join(f'{width:.0f}' for width in _widths(image, share))}" for share in SHARES))
    return 0


def _widths(first: Image, share: float) -> tuple[float, float, float]:
    image, true = narrowed(first, find_wound(first), share)
    unit = 1000 / max(image.shape) / len(image)
    return tuple(unit * np.count_nonzero(mask) for mask in (true, follow_wound(image, first), find_wound(image)))


def narrowed(image: Image, wound: Mask, share: float) -> tuple[Image, Mask]:
    """A frame in which both fronts have moved on: the middle of each row's wound is cut out, and cells are mirrored in.

    image, wound: (H, W), the wound standing. share: of each row's width that is left. Returns both of the same size.
    """
    pictures, masks = [], []
    for pixels, begin, end in zip(image, *fronts_of(wound), strict=True):
        cut = round((end - begin) * (1 - share))
        start = int(begin + (end - begin - cut) // 2)
        kept, bare = (np.delete(row, np.s_[start : start + cut]) for row in (pixels, np.arange(len(pixels))))
        sides = (cut // 2, cut - cut // 2)
        pictures.append(np.pad(kept, sides, mode="symmetric"))
        masks.append(np.pad((bare >= begin) & (bare < end), sides))
    return np.stack(pictures), np.stack(masks)


def _image(path: Path) -> Image:
    return decode_image(path.read_bytes())


def _spans(mask: Mask) -> bool:
    """Whether a part of `mask` touches two opposite sides of the image: what counted as a wound before it had to be a
    band."""
    parts = label(mask, connectivity=1)
    sides = ((parts[0], parts[-1]), (parts[:, 0], parts[:, -1]))
    return any(bool((np.intersect1d(*pair) > 0).any()) for pair in sides)


if __name__ == "__main__":
    sys.exit(main())
