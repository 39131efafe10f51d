"""The look of a real image that is to be imitated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, InvalidImage, at
from services.common.imaging.images import Image
from services.common.imaging.intensity import to_eight_bit
from services.generation.appearance import Look, measure
from services.generation.generate import check_levels
from services.generation.model import ModelDescription
from services.generation.roles import find_objects


def measure_likeness(image: Image, reference: NDArray[np.uint8], model: ModelDescription) -> Look:
    """Measure the look of `image`, which shows what `reference` says. Both (H, W); reference: level indices.

    Raises InvalidImage for an image of one grey value, InvalidArgument for two sizes, and InvalidReference for a level
    that the model's schema lacks.
    """
    with at("reference"):
        check_levels(reference, model)
    if image.shape != reference.shape:
        raise InvalidArgument(
            f"expected an image to imitate of its reference's size, {reference.shape} (height, width); got "
            f"{image.shape}; send the reference of that very image along",
            field="image",
        )
    grey = to_eight_bit(image)
    if grey.min() == grey.max():
        raise InvalidImage(
            "expected an image to imitate that shows something; got one of a single grey value; have a look "
            "drawn instead, by leaving out the image to imitate (of a run: look_source DRAWN, --appearance sampled)",
            field="image",
        )
    return measure(grey.astype(np.float32) / 255.0, reference, find_objects(reference, model.roles), model.roles)
