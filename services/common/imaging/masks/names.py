"""Which file holds the masks of an image, by the names that programs give them."""

from __future__ import annotations

import re
from pathlib import Path

SEGMENTATION = (".ome.tif", ".ome.tiff")
_MAPS = (".tif", ".tiff", ".png")
# What may follow an image's name where masks lie beside images: Cellpose's, and outlines.
_BESIDE = (
    *(f"_cp_masks{ending}" for ending in _MAPS),
    *(f"_masks{ending}" for ending in _MAPS),
    "_seg.npy",
    ".npy",
    "_rois.zip",
    ".zip",
    ".geojson",
)
ENDINGS = (*SEGMENTATION, ".png", ".tif", ".tiff", *_BESIDE)  # the first that is there counts
ENDINGS_TOLD = ".ome.tif, .png, .tif, _cp_masks.tif, _seg.npy, _rois.zip, .geojson or another of docs/masks.md"
_OBJECTS = ".objects."  # what `biosynth segment` writes beside its segmentations, of the same objects
# The Cell Tracking Challenge: t012.tif, and man_seg012.tif (truth, in SEG) or mask012.tif (a result).
_CTC_IMAGE = re.compile(r"t(\d{3,})")
_CTC_MASK = re.compile(r"(?:man_seg|mask)(\d{3,})\.tif", re.IGNORECASE)


def stem_of(path: Path) -> str:
    """The name before its suffix.

    >>> stem_of(Path("a.b.ome.tif")), stem_of(Path("a.b.png"))
    ('a.b', 'a.b')
    """
    return re.sub(r"(\.ome)?\.[^.]+$", "", path.name, flags=re.IGNORECASE)


def find_labels(folder: Path, name: str, beside: bool = False) -> Path | None:
    """The masks of the image called `name` in a folder; None where there are none.

    beside: images lie in the same folder, so masks are only what is named as such.
    """
    names = [f"{name}{ending}" for ending in (_BESIDE if beside else ENDINGS)]
    if found := _CTC_IMAGE.fullmatch(name):
        names += [f"{place}{mask}{found[1]}.tif" for place in ("", "SEG/") for mask in ("man_seg", "mask")]
    return next((path for one in names if (path := folder / one).is_file()), None)


def list_labels(folder: Path) -> list[Path]:
    """The files of a folder (of the Cell Tracking Challenge's: of its SEG too) that are named as masks may be.

    Those that `biosynth segment` writes beside its segmentations are not among them.
    """
    places = [place for place in (folder, folder / "SEG") if place.is_dir()]
    paths = (path for place in places for path in place.iterdir() if path.is_file())
    kept = (path for path in paths if not path.name.startswith(".") and _OBJECTS not in path.name)
    return sorted(path for path in kept if path.name.lower().endswith(ENDINGS))


def image_name(path: Path) -> str:
    """The name, without suffix, of the image that a file of masks belongs to.

    >>> [image_name(Path(name)) for name in ("a.tif", "a_cp_masks.png", "a_seg.npy", "man_seg012.tif", "a.ome.tif")]
    ['a', 'a', 'a', 't012', 'a']
    """
    if found := _CTC_MASK.fullmatch(path.name):
        return f"t{found[1]}"
    ending = next((one for one in _BESIDE if path.name.lower().endswith(one)), None)
    return path.name[: -len(ending)] if ending else stem_of(path)


def is_beside(path: Path) -> bool:
    """Whether a file in a folder of images is named as masks of another file there."""
    return path.name.lower().endswith(_BESIDE)


def is_sparse(path: Path) -> bool:
    """Whether these masks are of a series of which people annotate some frames alone: the challenge's man_seg."""
    return path.name.lower().startswith("man_seg")
