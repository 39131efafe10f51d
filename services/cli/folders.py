"""Folders of images, and what their images show under the same names: how every command reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from biosynth.contract import EXTENSIONS

from services.cli.files import read_input
from services.cli.images.choosing import choose_scene
from services.cli.images.opening import MORE_SUFFIXES, opened
from services.cli.images.reading import read_image
from services.cli.images.wish import Wish
from services.cli.naming import naming
from services.cli.notes import Notes
from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.images import Image
from services.common.imaging.masks.names import ENDINGS_TOLD, find_labels, image_name, is_beside, is_sparse
from services.common.imaging.masks.names import stem_of as stem_of
from services.common.imaging.masks.reading import Masks, read_masks
from services.evaluation.pictures import Picture, PictureSet, listed

SUFFIXES = (*(f".{extension}" for extension in EXTENSIONS), ".tiff", ".jpeg", *MORE_SUFFIXES)


def list_images(folder: Path) -> list[Path]:
    """The images of a folder by name, without hidden files and without masks that lie beside their image.

    Raises InvalidImage where there are none.
    """
    if not folder.is_dir():
        raise InvalidImage(f"expected a folder of images; got {folder}")
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    images = {stem_of(path) for path in paths if not is_beside(path)}
    paths = [path for path in paths if not (is_beside(path) and image_name(path) in images)]
    if not paths:
        raise InvalidImage(f"expected images ({', '.join(SUFFIXES)}) in {folder}; found none")
    return paths


def read_labels(
    path: Path, part: str, notes: Notes, shape: tuple[int, int] | None = None, frame: int | None = None
) -> Masks:
    """What a file of masks says; see `read_masks`, whose notes go to `notes`. Raises as it does, naming the file."""
    with naming(path):
        masks = read_masks(read_input(path), part, shape, frame)
    notes.add(path.name, masks.notes)
    return masks


def size_of(path: Path) -> tuple[tuple[int, int], tuple[float, float] | None]:
    """Height and width of an image, whichever of its planes is meant, and of a pixel in um, where the file says it."""
    with naming(path.name), opened(path) as stacks:
        stack = choose_scene(stacks, None)
        return stack.size, stack.pixel_size_um


def _read_image(path: Path, wish: Wish, notes: Notes) -> Image:
    with naming(path):
        image = read_image(path, wish)
    notes.add(path.name, image.notes)
    return image.pixels()


class LabelledImages(Sequence[Picture]):
    """Pairs of an image and its masks, each read when it is asked for: memory does not grow with their number.

    part: what masks without named parts show; "": they are refused. wish: which plane of images, and which frame of
    masks.
    """

    def __init__(self, pairs: Sequence[tuple[Path, Path]], part: str, wish: Wish, notes: Notes) -> None:
        self._pairs, self._part, self._wish, self._notes = pairs, part, wish, notes

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: Any) -> Any:
        """Read one. Raises InvalidImage and InvalidSegmentation."""
        if isinstance(index, slice):
            return LabelledImages(self._pairs[index], self._part, self._wish, self._notes)
        path, shown = self._pairs[index]
        image = _read_image(path, self._wish, self._notes)
        height, width = image.shape
        masks = read_labels(shown, self._part, self._notes, (height, width), self._wish.frame)
        if self._part:
            with naming(shown):
                masks.labels(self._part)
        return Picture(stem_of(path), image, masks.segmentation)


class _Images(Sequence[Picture]):
    """Images alone, each read when it is asked for."""

    def __init__(self, paths: Sequence[Path], wish: Wish, notes: Notes) -> None:
        self._paths, self._wish, self._notes = paths, wish, notes

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Images(self._paths[index], self._wish, self._notes)
        return Picture(self._paths[index].name, _read_image(self._paths[index], self._wish, self._notes))


def open_images(folder: Path, wish: Wish, notes: Notes) -> PictureSet:
    """The images of a folder, by the names of their files; none is read yet. Raises as `list_images`."""
    paths = list_images(folder)
    return PictureSet(folder.resolve().name, tuple(path.name for path in paths), _Images(paths, wish, notes))


def open_labelled(folder: Path, labels: Path, part: str, wish: Wish, notes: Notes) -> PictureSet:
    """The images of a folder with their masks; none is read yet. Raises as `pair_up`."""
    pairs = pair_up(folder, labels, notes)
    names = tuple(stem_of(path) for path, _ in pairs)
    return PictureSet(folder.resolve().name, names, LabelledImages(pairs, part, wish, notes))


def pair_up(folder: Path, labels: Path, notes: Notes) -> list[tuple[Path, Path]]:
    """Each image of a folder and its masks in another, or in the same under names of masks (docs/masks.md).

    Of the Cell Tracking Challenge's truth, which has some frames alone, the others are left out, and noted. Raises
    InvalidImage for a folder without images or with two of one name, InvalidArgument for images without masks.
    """
    if not labels.is_dir():
        raise InvalidArgument(f"expected a folder of masks; got {labels}")
    beside = folder.resolve() == labels.resolve()
    paths = [path for path in list_images(folder) if not (beside and is_beside(path))]
    names = [stem_of(path) for path in paths]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidImage(
            f"expected names that differ before their suffix in {folder}; more than once: {listed(twice)}"
        )
    pairs = [(path, found) for path in paths if (found := find_labels(labels, stem_of(path), beside))]
    absent = sorted(set(names) - {stem_of(path) for path, _ in pairs})
    if absent and pairs and all(is_sparse(found) for _, found in pairs):
        for name in absent:
            notes.add(name, ["a frame that nobody annotated: left out"])
    elif absent:
        raise InvalidArgument(
            f"expected masks in {labels} under the name of every image of {folder} ({ENDINGS_TOLD}); "
            f"there are none for {len(absent)} of {len(names)}: {listed(absent)}"
        )
    return pairs
