"""A segmenter in training, looked at now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.labels import Labels
from services.segmentation.learned.segment import find_objects
from services.training.engine import NetworkEngine
from services.training.samples import outlined, spread, window_on, write_samples
from services.training.segmenter.engine import undescribed
from services.training.segmenter.trainer import Trainer

_FIELDS = 4
_TRUE, _FOUND = (255, 200, 0), (0, 220, 255)


class Examination:
    """Draws a few held-out fields: the image, its true outlines, and those that are found.

    fields: images (H, W) and labels (H, W), by source. work: where samples go.
    """

    def __init__(self, fields: Mapping[str, Sequence[tuple[NDArray[np.uint8], Labels]]], part: str, work: Path) -> None:
        chosen = spread([field for some in fields.values() for field in some], _FIELDS)
        windows = [window_on(labels) for _, labels in chosen]
        self._fields = [(image[at], labels[at]) for (image, labels), at in zip(chosen, windows, strict=True)]
        self._part, self._work = part, work

    def __call__(self, trainer: Trainer) -> None:
        """Draw them as the averaged network finds them now."""
        model, engine = undescribed(trainer.config.network, self._part), NetworkEngine(trainer.average)
        rows = []
        for image, labels in self._fields:
            found, shown = find_objects(image, model, engine).labels, stretch(image, brightness_range(image))
            rows.append([shown, outlined(shown, labels, _TRUE), outlined(shown, found, _FOUND)])
        write_samples(self._work, trainer.step, ("image", "true outlines", "found outlines"), rows)
