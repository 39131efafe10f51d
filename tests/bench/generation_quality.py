"""A generator's images beside real val fields: `python -m tests.bench.generation_quality MODEL --out DIR`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import Image, encode_png
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.labels import Labels
from services.evaluation.spectrum import spectrum_distance
from services.generation.generate import generate
from services.generation.likeness import measure_likeness
from services.generation.model import SHIPPED, StoredModel, read_model
from services.generation.tilings import usual_tiling
from tests.bench.looks import PACKS, reference_of, truth_of
from tests.bench.segmentation_quality import fields

SHEET_ROWS, SHEET_PX = 5, 256
SEEDS = 1000  # of images between those of two runs


def main() -> None:
    """Write DIR/real, drawn, measured, labels, sheet.png and the report of `biosynth evaluate`, then its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model's folder, or the name of a shipped one")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="another gives other looks and textures; default 0")
    parser.add_argument("--quarters", action="store_true", help="judge quarters of fields: four are too few for AUC")
    parser.add_argument("--no-cnn", action="store_true", help="without the judge that needs torch and minutes")
    options = parser.parse_args()
    folder = options.model if options.model.is_dir() else SHIPPED / options.model
    model = read_model(folder)
    schema = model.description.schema
    [(pack, index, part)] = [pack[:3] for pack in PACKS if read_model(SHIPPED / pack[3]).description.schema == schema]
    known = list(fields(Path(os.environ["BIOSYNTH_TEST_DATA"]) / pack, index, "val"))
    _write(options.out, model, part, known, options.seed, cuts=2 if options.quarters else 1)
    command = [
        *(sys.executable, "-m", "services.cli", "evaluate", options.out / "real", options.out / "drawn"),
        *("--against", options.out / "measured", "--labels", options.out / "labels", "--part", part),
        *("--judge", part, "--out", options.out, "--quiet", *([] if options.no_cnn else ["--cnn"])),
    ]
    subprocess.run([str(word) for word in command], check=True)


def _write(out: Path, model: StoredModel, part: str, known: list[tuple[Image, Labels]], seed: int, cuts: int) -> None:
    """The images of every field, cut along both axes, and a sheet of the worst and of others spread over the rest."""
    for name in ("real", "drawn", "measured", "labels"):
        (out / name).mkdir(parents=True, exist_ok=True)
    engine, tiling, rows = OnnxCpuEngine(model.weights()), usual_tiling(model.description), []
    for number, (image, labels) in enumerate(known):
        real, reference = to_eight_bit(image), reference_of(truth_of(part, labels), model)
        like = measure_likeness(image, reference, model.description)
        own = SEEDS * seed + number
        drawn = generate(reference, model.description, engine, own, tiling=tiling).image
        measured = generate(reference, model.description, engine, own, like=like, tiling=tiling).image
        pictures: dict[str, NDArray[Any]] = {
            "real": real,
            "drawn": drawn,
            "measured": measured,
            "labels": labels.astype(np.uint16),
        }
        for name, picture in pictures.items():
            pieces = [piece for band in np.array_split(picture, cuts) for piece in np.array_split(band, cuts, axis=1)]
            for place, piece in enumerate(pieces):
                (out / name / f"{number:03d}_{place}.png").write_bytes(encode_png(np.ascontiguousarray(piece)))
        distance = spectrum_distance(*(one.astype(np.float32) / np.float32(255) for one in (real, measured)))
        rows.append((distance, np.hstack([_shown(one, real) for one in (real, measured, drawn)])))
    rows.sort(key=lambda row: -row[0])
    chosen = [rows[round(at)][1] for at in np.linspace(0, len(rows) - 1, min(SHEET_ROWS, len(rows)))]
    (out / "sheet.png").write_bytes(encode_png(np.vstack(chosen)))


def _shown(image: NDArray[np.uint8], real: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of an image at twice its size, with the greys of the real one stretched."""
    low, high = np.percentile(real, (0.5, 99.8))
    window = image[tuple(slice(max(0, (side - SHEET_PX) // 2), (side + SHEET_PX) // 2) for side in image.shape)]
    window = np.pad(window, [(0, SHEET_PX - side) for side in window.shape])
    grey = np.clip((window.astype(np.float32) - low) * (255 / max(1.0, high - low)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST), np.uint8)


if __name__ == "__main__":
    main()
