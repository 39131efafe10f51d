"""Random crops of labelled fields, augmented alike in image and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as pieces

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.segmentation.learned.normalisation import normalised
from services.training.augmentation import Symmetry
from services.training.bounds import ABOVE_0, SHARE, between, check_bounds, range_of
from services.training.segmenter.targets import targets_of

_BOUNDS = {
    **dict.fromkeys(("scale", "blur", "coarse"), range_of(ABOVE_0)),
    "noise": range_of(between(0)),
    **dict.fromkeys(("gamma", "gain", "offset", "slope"), between(0)),
    **dict.fromkeys(
        (f"{name}_chance" for name in ("scale", "intensity", "blur", "noise", "slope", "invert", "coarse")), SHARE
    ),
}


@dataclass(frozen=True, eq=False)
class LabelledField:
    """A whole image, (H, W) float32 as `normalised` makes it, with instance labels (H, W) int32."""

    name: str
    image: NDArray[np.float32]
    labels: Labels

    @classmethod
    def of(cls, name: str, image: NDArray[Any], labels: Labels) -> LabelledField:
        """Of an image as it came."""
        return cls(name, normalised(image), labels)


@dataclass(frozen=True)
class Augmentation:
    """How strongly crops are changed; each range is of a uniform draw, each chance a probability.

    scale: magnification, drawn evenly in its logarithm. gamma, gain, offset: deviations of normal draws, the first two
    of logarithms. blur: sigma in px. noise: deviation. slope: of uneven light, deviation from edge to edge. invert:
    dark for bright, as phase contrast is on the other side of its focus. coarse: reduced so far and enlarged again, as
    images of small objects are for the network. Raises ConfigError for numbers that cannot be.
    """

    scale: tuple[float, float] = (0.5, 2.0)
    scale_chance: float = 0.7
    intensity_chance: float = 0.8
    gamma: float = 0.25
    gain: float = 0.2
    offset: float = 0.06
    blur: tuple[float, float] = (0.4, 1.6)
    blur_chance: float = 0.3
    noise: tuple[float, float] = (0.005, 0.08)
    noise_chance: float = 0.4
    slope: float = 0.1
    slope_chance: float = 0.2
    invert_chance: float = 0.0
    coarse: tuple[float, float] = (0.4, 0.8)
    coarse_chance: float = 0.0

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)


class Crops:
    """Draws batches: first a source, then a field of it, then scale, origin, symmetry and light.

    sources: fields by kind; kinds are equally likely, however many fields each has. Raises InvalidArgument for none, or
    where no field shows an object.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[LabelledField]],
        side_px: int,
        augmentation: Augmentation,
        generator: np.random.Generator,
    ) -> None:
        if not sources or not all(sources):
            raise InvalidArgument("expected at least one labelled field of every kind to train on; got none")
        if not any(field.labels.any() for fields in sources for field in fields):
            raise InvalidArgument(
                f"expected training fields whose labels show objects; got {sum(map(len, sources))} fields without any; "
                "look at their masks, or split anew, and make the dataset again with `biosynth dataset`"
            )
        self._sources, self._side, self._augmentation, self.generator = sources, side_px, augmentation, generator

    def batch(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images (count, 1, S, S) and their targets (count, 4, S, S)."""
        images, targets = zip(*(self._one() for _ in range(count)), strict=True)
        return np.stack(images)[:, None], np.stack(targets)

    def _one(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        fields = self._sources[int(self.generator.integers(len(self._sources)))]
        field = fields[int(self.generator.integers(len(fields)))]
        image, labels = self._cut(field, self._scale())
        turn = Symmetry.draw(self.generator)
        return self._lit(turn(image)), targets_of(turn(labels))

    def _scale(self) -> float:
        if self.generator.random() >= self._augmentation.scale_chance:
            return 1.0
        return float(np.exp(self.generator.uniform(*np.log(self._augmentation.scale))))

    def _cut(self, field: LabelledField, scale: float) -> tuple[NDArray[np.float32], Labels]:
        """A square crop, magnified; a field that is smaller is continued by mirroring, mirror images as new objects."""
        need = int(np.ceil(self._side / scale))
        window = [(0, max(0, need - length)) for length in field.image.shape]
        image, labels = np.pad(field.image, window, mode="symmetric"), np.pad(field.labels, window, mode="symmetric")
        if labels.shape != field.labels.shape:
            labels = pieces(labels, background=0)  # what the mirror cuts goes on in its mirror image, as one
        top, left = (int(self.generator.integers(length - need + 1)) for length in image.shape)
        place = (slice(top, top + need), slice(left, left + need))
        return _resized(image[place], self._side), _resized_labels(labels[place], self._side)

    def _lit(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Changed as another microscope, exposure, focus, camera or binning would."""
        draw, how = self.generator, self._augmentation
        plane = image.astype(np.float64)
        if how.invert_chance and draw.random() < how.invert_chance:
            plane = 1.0 - plane
        if draw.random() < how.intensity_chance:
            gamma, gain = np.exp(draw.normal(0, how.gamma)), np.exp(draw.normal(0, how.gain))
            plane = np.sign(plane) * np.abs(plane) ** gamma * gain + draw.normal(0, how.offset)
        if draw.random() < how.blur_chance:
            plane = cv2.GaussianBlur(plane, (0, 0), draw.uniform(*how.blur)).astype(np.float64, copy=False)
        if draw.random() < how.slope_chance:
            rows, columns = (np.linspace(-0.5, 0.5, length) for length in image.shape)
            plane = plane + draw.normal(0, how.slope) * rows[:, None] + draw.normal(0, how.slope) * columns
        if draw.random() < how.noise_chance:
            plane = plane + draw.normal(0, draw.uniform(*how.noise), image.shape)
        result = plane.astype(np.float32)
        if how.coarse_chance and draw.random() < how.coarse_chance:
            reduced = _resized(result, max(1, round(len(result) * draw.uniform(*how.coarse))))
            result = _resized(reduced, len(result))
        return result


def _resized(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    if len(image) == side:
        return image
    method = cv2.INTER_AREA if len(image) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), np.float32)


def _resized_labels(labels: Labels, side: int) -> Labels:
    if len(labels) == side:
        return labels
    # OpenCV resizes no int32, but float64 holds every label.
    scaled = cv2.resize(labels.astype(np.float64), (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(scaled, np.int32)
