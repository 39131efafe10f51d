"""`BIOSYNTH_TEST_DATA=... python -m tests.bench.auto_choice [--fit]`: what `auto` chooses, how surely, and warnings.

With --fit, the coefficients of services/segmentation/kinds.py are fitted anew and the limits of looks printed.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from scipy.optimize import minimize

from services.common.imaging.images import decode_image
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import AUTO, pick
from services.segmentation.kinds import evidence
from services.segmentation.look import Look, measure_look
from services.segmentation.segmenter import Image

FLUORESCENCE, PHASE = "nuclei", "scratch"
# Pack, its table of fields, what `auto` should choose.
PACKS = (
    ("dsb2018-fluo", "split.csv", FLUORESCENCE),
    ("bbbc039-nuclei", "split.csv", FLUORESCENCE),
    ("usiigaci-phase", "index.csv", PHASE),
)
# The frames of one scratch assay are for fitting, those of the other are held out.
WOUND = {"train": "sas_*.jpg", "val": "cp_*.jpg"}
RIDGE = 1.0
BINS = (0.5, 0.8, 0.95, 0.99, 1.001)


def _like(changed: Any, image: Image) -> Image:
    """`changed` in the type of `image`."""
    return np.clip(changed, 0, np.iinfo(image.dtype).max).astype(image.dtype)  # type: ignore[no-any-return]


def _noisy(image: Image) -> Image:
    span = float(np.ptp(np.percentile(image, (0.1, 99.9))))
    noisy = image + np.random.default_rng(0).normal(0, 0.05 * span, image.shape)
    return _like(np.rint(noisy), image)


def _resized(factor: float) -> Callable[[Image], Image]:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda image: _like(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how), image)


VERSIONS: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "half scale": _resized(0.5),
    "double scale": _resized(2),
    "blurred": lambda image: _like(cv2.GaussianBlur(image, (0, 0), 1.5), image),
    "noisy": _noisy,
    "16 bit": lambda image: (image.astype(np.uint16) * 40 + 300).astype(np.uint16),
    "inverted": lambda image: _like(np.iinfo(image.dtype).max - image, image),
}
FITTED = ("as it is", "half scale", "double scale", "blurred", "noisy")


def known(folder: Path, split: str) -> Iterator[tuple[str, str, list[Image]]]:
    """Name of a set, what `auto` should choose for it, and its images."""
    for pack, index, right in PACKS:
        with (folder / pack / index).open(encoding="utf-8") as file:
            names = [row["id"] for row in csv.DictReader(file) if row["split"] == split]
        yield pack, right, [_read(folder / pack / "images" / f"{name}.png") for name in names]
    frames = sorted((folder / "wound" / "images").glob(WOUND[split]))
    yield f"wound {WOUND[split][:3].strip('_')}", PHASE, [_read(path) for path in frames]


def unlike() -> Iterator[tuple[str, Image]]:
    """Images that no segmenter was made for: scikit-image's own samples, and synthetic ones."""
    for path in sorted((Path(skimage.__file__).parent / "data").iterdir()):
        if path.suffix in (".png", ".jpg"):
            # Read by OpenCV: the decoder of services takes one channel, and asks which.
            colours = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if colours is not None:
                yield path.name, np.asarray(colours, np.uint8)
    rng, shape = np.random.default_rng(0), (512, 512)
    yield "noise, normal", rng.normal(100, 20, shape).clip(0, 255).astype(np.uint8)
    yield "noise, uniform", rng.integers(0, 256, shape).astype(np.uint8)
    yield "noise, Poisson of 2", rng.poisson(2, shape).astype(np.uint8)
    clouds = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), 12)
    yield "clouds", (255 * (clouds - clouds.min()) / np.ptp(clouds)).astype(np.uint8)
    yield "slope", np.tile(np.linspace(0, 255, shape[1]), (shape[0], 1)).astype(np.uint8)
    for value in (0, 128, 255):
        yield f"blank, {value}", np.full(shape, value, np.uint8)


def main() -> int:
    """Print the table, or the fit."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder:
        print("set BIOSYNTH_TEST_DATA to the folder that holds the data packs", file=sys.stderr)
        return 2
    if "--fit" in sys.argv[1:]:
        _fit(Path(folder))
        return 0
    segmenters = builtin_segmenters()
    print(f"{'set':<16}{'version':<14}{'n':>4}{'nuclei':>8}{'scratch':>8}{'warned':>8}{'sure':>12}{'named wrong':>13}")
    for split in ("train", "val"):
        sure: list[tuple[float, bool]] = []
        for name, right, images in [*known(Path(folder), split), *_yeast(Path(folder), split)]:
            wrong = PHASE if right == FLUORESCENCE else FLUORESCENCE
            for version, change in VERSIONS.items():
                seen = [change(image) for image in images]
                choices = [pick(segmenters, AUTO, image) for image in seen]
                chosen = [choice.segmenter.name for choice in choices]
                told = sum(bool(pick(segmenters, wrong, image).warnings) for image in seen)
                confidence = np.array([choice.confidence for choice in choices], np.float64)
                counts = f"{chosen.count('nuclei'):>8}{chosen.count('scratch'):>8}"
                warned = sum(bool(choice.warnings) for choice in choices)
                print(
                    f"{name:<16}{version:<14}{len(images):>4}{counts}{warned:>8}{np.median(confidence):>12.3f}{told:>13}"
                )
                if version != "inverted":
                    sure += [(float(c), one == right) for c, one in zip(confidence, chosen, strict=True)]
        _reliability(split, np.array(sure))
    for name, image in unlike():
        choice = pick(segmenters, AUTO, image)
        print(f"{name:<26}{choice.segmenter.name:<9}{choice.confidence:.2f}  {' '.join(choice.warnings) or '-'}")
    return 0


def _reliability(split: str, sure: NDArray[np.float64]) -> None:
    """Of choices made with a confidence within each bin, the share that is right."""
    for low, high in pairwise(BINS):
        among = sure[(sure[:, 0] >= low) & (sure[:, 0] < high)]
        if len(among):
            print(
                f"{split}: confidence {low} to {high}: n {len(among)}, mean {among[:, 0].mean():.3f}, "
                f"right {among[:, 1].mean():.3f}"
            )


def _fit(folder: Path) -> None:
    """Logistic regression with a ridge on the train fields and their versions; every set weighs the same."""
    rows: list[tuple[float, ...]] = []
    targets: list[float] = []
    weights: list[float] = []
    kinds: dict[str, list[Look]] = {FLUORESCENCE: [], PHASE: []}
    for _, right, images in known(folder, "train"):
        looks = [measure_look(VERSIONS[name](image)) for image in images for name in FITTED]
        there = [look for look in looks if look is not None]
        rows += [evidence(look) for look in there]
        targets += [1.0 if right == FLUORESCENCE else -1.0] * len(there)
        weights += [100 / len(there)] * len(there)
        kinds[right] += [look for look in map(measure_look, images) if look is not None]
    x, y, w = np.array(rows), np.array(targets), np.array(weights)
    x = np.hstack([x, np.ones((len(x), 1))])

    def loss(coefficients: NDArray[np.float64]) -> float:
        return float((w * np.logaddexp(0, -y * (x @ coefficients))).sum() + RIDGE * (coefficients[:-1] ** 2).sum() / 2)

    print("weights and intercept", np.round(minimize(loss, np.zeros(x.shape[1]), method="BFGS").x, 2).tolist())
    for kind, measured in kinds.items():
        values = np.array([astuple(look) for look in measured])
        for field, column in zip(fields(Look), values.T, strict=True):
            print(f"{kind:<9}{field.name:<16}{np.percentile(column, (0, 0.5, 50, 99.5, 100)).round(3).tolist()}")


def _yeast(folder: Path, split: str) -> list[tuple[str, str, list[Image]]]:
    """One movie, so never fitted: it is reported beside the held-out sets."""
    if split == "train":
        return []
    paths = sorted((folder / "yeast-phase" / "images").glob("*.png"))
    return [("yeast-phase", PHASE, [_read(path) for path in paths])]


def _read(path: Path) -> Image:
    return decode_image(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
