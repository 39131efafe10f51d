"""Folders of images, and of masks that say what these show, as the sets that the evaluation service compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from biosynth.v1.evaluation_pb2 import Field, ImageSet
from biosynth.v1.types_pb2 import Content

from services.cli.folders import read_labels
from services.cli.images.reading import read_image
from services.cli.images.wish import Wish
from services.cli.naming import naming
from services.cli.notes import Notes
from services.cli.session import Session
from services.common.errors import InvalidArgument
from services.common.imaging.masks.names import ENDINGS_TOLD, find_labels, stem_of
from services.common.imaging.ometiff import encode_segmentation


def set_names(folders: Sequence[Path]) -> list[str]:
    """What to call the sets in these folders: by the shortest end of its path that no other has; equal ones alike.

    >>> set_names([Path("/lab/real"), Path("/orders/a/images"), Path("/orders/b/images")])
    ['real', 'a/images', 'b/images']
    """
    ends = {
        folder: [PurePath(*folder.parts[-n:]).as_posix() for n in range(1, len(folder.parts) + 1)] for folder in folders
    }
    times = Counter(end for own in ends.values() for end in own)
    return [next(end for end in ends[folder] if times[end] == 1) for folder in folders]


@dataclass(frozen=True)
class MaskFolder:
    """Where masks are, what they show, and the frame of those that are stacks."""

    folder: Path
    part: str
    frame: int | None


@dataclass(frozen=True)
class SetReader:
    """Reads sets into the store of a session. notes: of how files were read. done: called after each image."""

    session: Session
    notes: Notes
    done: Callable[[], object]

    def read(self, name: str, paths: Sequence[Path], wish: Wish, masks: MaskFolder | None = None) -> ImageSet:
        """The images of one folder as the set of this name. wish: which plane of each.

        Raises InvalidArgument for an image without masks, where there are any, and as `read_image` and `read_labels`.
        """
        images = ImageSet(name=name)
        for path in paths:
            images.fields.append(self._field(path, wish, masks))
            self.done()
        return images

    def _field(self, path: Path, wish: Wish, masks: MaskFolder | None) -> Field:
        with naming(path):
            image = read_image(path, wish)
        self.notes.add(path.name, image.notes)
        field = Field(name=stem_of(path), image=self.session.stored(image.plane()))
        if masks is not None:
            height, width = image.pixels().shape
            field.segmentation.CopyFrom(self._segmentation(path, masks, (height, width)))
        return field

    def _segmentation(self, image: Path, masks: MaskFolder, shape: tuple[int, int]) -> Content:
        found = find_labels(masks.folder, stem_of(image), beside=image.parent.resolve() == masks.folder.resolve())
        if found is None:
            raise InvalidArgument(
                f"expected masks of {stem_of(image)!r} in {masks.folder} ({ENDINGS_TOLD}); found none; add them, leave "
                "the image out, or, where generated images have other names, give their masks as --generated-labels"
            )
        read = read_labels(found, masks.part, self.notes, shape, masks.frame)
        return self.session.stored(encode_segmentation(read.segmentation))
