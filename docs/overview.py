"""Draws docs/overview.png: label maps made by this program, and the shipped models' images of them.

Run from the repository's root: .venv/bin/python docs/overview.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import encode_png
from services.common.imaging.intensity import stretch
from services.common.imaging.labels import Labels, Segmentation
from services.generation.generate import generate
from services.generation.model import SHIPPED, ModelShelf
from services.reference.render import render
from services.reference.schemas import named

HEIGHT, WIDTH = 320, 384


def nuclei(generator: np.random.Generator) -> Segmentation:
    """Ellipses at random, kept where they overlap little."""
    labels: Labels = np.zeros((HEIGHT, WIDTH), np.int32)
    for number in range(1, 70):
        centre = (int(generator.integers(WIDTH)), int(generator.integers(HEIGHT)))
        axes = (int(generator.integers(11, 17)), int(generator.integers(8, 12)))
        shape = (
            cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), centre, axes, generator.uniform(0, 180), 0, 360, 1, -1) > 0
        )
        if (labels[shape] > 0).mean() < 0.15:
            labels[shape & (labels == 0)] = number
    return Segmentation(nuclei=labels)


def scratch(generator: np.random.Generator) -> Segmentation:
    """A sheet of irregular cells beside a wavy wound."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    wobble = cv2.GaussianBlur(generator.standard_normal((2, HEIGHT, WIDTH), np.float32).transpose(1, 2, 0), (0, 0), 5)
    centres = generator.uniform((0, 0), (HEIGHT, WIDTH), (520, 2))
    points = np.stack([rows, columns], -1) + 60 * wobble
    distance, nearest = cKDTree(centres).query(points)
    edge = 0.58 * WIDTH + 18 * np.sin(rows / 37) + 9 * np.sin(rows / 11 + 2)
    outside = centres[:, 1] < edge[centres[:, 0].astype(int), 0]
    cells = np.where(outside[nearest] & (distance < 11), nearest + 1, 0).astype(np.int32)
    wound = (columns > edge - 4) & (cells == 0)
    return Segmentation(cells=cells, wound=wound)


def pair(segmentation: Segmentation, model_name: str, seed: int) -> NDArray[np.uint8]:
    """The reference's grey rendering and the generated image, side by side."""
    model = ModelShelf(SHIPPED).get(model_name)
    rendered = render(segmentation, named(model.description.schema_name))
    made = generate(rendered.reference, model.description, OnnxCpuEngine(model.weights()), seed)
    gap = np.full((HEIGHT, 4), 255, np.uint8)
    return np.concatenate([rendered.grey, gap, stretch(made.image)], 1)


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
