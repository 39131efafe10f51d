"""The files of a run: what it returned, and pictures of that; a run that stopped early has fewer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from biosynth.v1.pipeline_pb2 import RunResult
from numpy.typing import NDArray

from services.cli.looks import write_look
from services.cli.object_files import NAMES, object_files
from services.cli.objects_picture import shrunk
from services.cli.overview import overview
from services.common.imaging.images import encode_png
from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.ometiff import decode_segmentation
from services.common.serving.delivery import image_planes

FILES = (
    "segmentation.ome.tif",
    *NAMES,
    "reference.png",
    "reference_grey.png",
    "generated.png",
    "look.json",
    "overview.png",
    "report.html",
    "run.json",
)
_OBJECTS = "how sure the segmenter is of each object, from red to green; dashed: the object goes on beyond the image"


@dataclass(frozen=True)
class RunFiles:
    """files: by name, without report and record. pictures: captions and PNG files, for the report beside the overview.

    generated: (H, W), None where none was asked for.
    """

    files: dict[str, bytes]
    pictures: list[tuple[str, bytes]]
    generated: NDArray[np.uint8] | None


def run_files(image: NDArray[np.uint8], result: RunResult) -> RunFiles:
    """Draw what a run returned. image: (H, W), the one that it began with."""
    found = result.segmentation
    segmentation = decode_segmentation(found.segmentation.file)
    files = {"segmentation.ome.tif": found.segmentation.file}
    files |= object_files(image, segmentation, found.objects.file)
    grey, generated, alike = None, None, None
    limits = brightness_range(image)
    shown = stretch(image, limits)
    pictures = [(_OBJECTS, files["objects.png"]), ("image", encode_png(shrunk(shown)))]
    if result.HasField("reference"):
        files |= {"reference.png": result.reference.reference.file, "reference_grey.png": result.reference.grey.file}
        grey = image_planes(result.reference.grey.file)["image"]
    if result.HasField("generation"):
        files |= {"generated.png": result.generation.image.file, "look.json": write_look(result.generation.look)}
        generated = image_planes(result.generation.image.file)["image"]
        alike = stretch(generated, limits)  # by the image's own range, so that a difference in brightness shows as one
        pictures.append(("generated, at the image's range of brightness", encode_png(shrunk(alike))))
    files["overview.png"] = encode_png(overview(shown, segmentation, grey, alike))
    return RunFiles(files, pictures, generated)
