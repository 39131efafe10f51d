"""Layouts of an image file and a mask file each: `pairs`, `stardist` and `cellpose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.imaging.images import decode_image
from services.synthesis.layouts.layout import TRAIN, Whole, Written, folder_of
from services.synthesis.sample import Sample, mask_array, place, tiff


@dataclass(frozen=True)
class Paired:
    """image, mask: names of files, with {split}, which is empty or ends with a slash, and {name}."""

    image: str
    mask: str
    held_out: str
    only: str = ""
    batch: int = 1

    def write(self, name: str, samples: Sequence[Sample]) -> Written:  # noqa: ARG002 - files are named by sample
        """See Layout."""
        files: dict[str, bytes] = {}
        places = []
        for sample in samples:
            image, mask = (
                text.format(split=folder_of(sample.split), name=sample.name) for text in (self.image, self.mask)
            )
            files[image] = sample.image if image.endswith(".png") else tiff(decode_image(sample.image))
            files[mask] = tiff(mask_array(sample.labels))
            reference = f"references/{sample.name}.png"
            files[reference] = sample.reference
            named = {"image": image, "mask": mask, "reference": reference}
            places.append({part: place(file, files[file]) for part, file in named.items()})
        return Written(files, places)

    def finish(self, whole: Whole) -> Mapping[str, bytes]:  # noqa: ARG002 - nothing tells of all of them
        """See Layout."""
        return {}


def pairs() -> Paired:
    """images/NAME.png beside masks/NAME.tif, in train/, val/ and test/ where there are splits."""
    return Paired("{split}images/{name}.png", "{split}masks/{name}.tif", held_out="val")


def stardist() -> Paired:
    """images/NAME.tif and masks/NAME.tif, in train/ and test/, as in StarDist's example data and notebooks."""
    return Paired("{split}images/{name}.tif", "{split}masks/{name}.tif", held_out="test")


def cellpose() -> Paired:
    """train/NAME.png beside train/NAME_masks.tif, and so in test/, as `cellpose --train` reads them."""
    return Paired("{split}{name}.png", "{split}{name}_masks.tif", held_out="test", only=TRAIN)
