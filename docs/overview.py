"""Draws docs/overview.png: label maps made by this program, and the shipped models' images of them.

Run from the repository's root: .venv/bin/python docs/overview.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import encode_png
from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.labels import Labels, Segmentation
from services.generation.generate import generate
from services.generation.model import SHIPPED, ModelShelf
from services.reference.render import render
from services.reference.schemas import named

HEIGHT, WIDTH = 320, 384


def ellipses(generator: np.random.Generator, tries: int, radii: tuple[float, float], right: float) -> Labels:
    """Ellipses at random places left of column `right`, dropped where they would overlap; radii: from, to, in px."""
    labels: Labels = np.zeros((HEIGHT, WIDTH), np.int32)
    for _ in range(tries):
        drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
        centre = (int(generator.integers(WIDTH)), int(generator.integers(HEIGHT)))
        long = float(generator.uniform(*radii))
        axes = (round(long), round(long * float(generator.uniform(0.5, 0.9))))
        cv2.ellipse(drawn, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1, -1)
        if centre[0] < right and not (drawn.astype(bool) & (labels > 0)).any():
            labels[drawn > 0] = labels.max() + 1
    return labels


def nuclei(generator: np.random.Generator) -> Segmentation:
    """A field of nuclei."""
    return Segmentation(nuclei=ellipses(generator, 70, (11, 17), WIDTH))


def scratch(generator: np.random.Generator) -> Segmentation:
    """The left front of a scratch: cells, and the wound to their right."""
    cells = ellipses(generator, 600, (6, 13), 0.6 * WIDTH)
    columns = np.arange(WIDTH)[None] + 9 * np.sin(np.arange(HEIGHT) / 23)[:, None]
    return Segmentation(cells=cells, wound=(columns > 0.6 * WIDTH + 8) & (cells == 0))


def pair(segmentation: Segmentation, model_name: str, seed: int) -> NDArray[np.uint8]:
    """The reference's grey rendering and the generated image, side by side."""
    model = ModelShelf(SHIPPED).get(model_name)
    rendered = render(segmentation, named(model.description.schema_name))
    made = generate(rendered.reference, model.description, OnnxCpuEngine(model.weights()), seed)
    gap = np.full((HEIGHT, 4), 255, np.uint8)
    return np.concatenate([rendered.grey, gap, stretch(made.image, brightness_range(made.image))], 1)


def main() -> None:
    """Write the picture."""
    generator = np.random.default_rng(4)
    wide = np.full((HEIGHT, 16), 255, np.uint8)
    picture = np.concatenate(
        [pair(nuclei(generator), "fluo-nuclei", 2), wide, pair(scratch(generator), "phase-scratch", 5)], 1
    )
    (Path(__file__).parent / "overview.png").write_bytes(encode_png(picture))


if __name__ == "__main__":
    main()
