"""`BIOSYNTH_TEST_DATA=... python -m tests.bench.tilings [--quick] [FOLDER]`: seams of each way to put images together.

Val fields with true labels and frames of a scratch assay, each imitated in every tiling, cropped to whole patches so
that the edges of exact's tiles lie where those of the patches do. FOLDER: for pictures and tilings.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.overview import rgb, side_by_side
from services.common.engines.engine import Engine
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import Image, decode_image, encode_png
from services.common.imaging.intensity import to_eight_bit
from services.evaluation.sets.seam import seam_ratio
from services.generation.generate import generate
from services.generation.likeness import measure_likeness
from services.generation.model import SHIPPED, ModelShelf, StoredModel
from services.generation.patches import PATCH_PX
from services.generation.tilings import Tiling
from services.segmentation.builtin import builtin_segmenters
from tests.bench.looks import HELD_OUT_FRAMES, PACKS, reference_of, truth_of
from tests.bench.segmentation_quality import fields
from tests.bench.table import told

# exact is to be whole, up to the rounding of counts; blend may have as much of a seam as real images have by chance.
MOST_OFF_WHOLE = 0.005
# Ways that the network's border may not show in; concat is there to show it.
SEAMLESS = (Tiling.EXACT, Tiling.WHOLE, Tiling.BLEND)
_OUTER_PX, _STRIDE_PX = PATCH_PX // 2, 4  # of the pictures, around the corner where four patches meet; of the models
Case = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # a real image and its reference, (H, W)
Made = dict[Tiling, NDArray[np.uint8]]


def figures(quick: bool = False, folder: Path | None = None) -> list[dict[str, Any]]:
    """Rows of name, value, target and whether it is met; none without BIOSYNTH_TEST_DATA. quick: a field of a pack."""
    data = os.environ.get("BIOSYNTH_TEST_DATA")
    if not data:
        return [{"name": "tilings", "value": "skipped: set BIOSYNTH_TEST_DATA", "target": None, "met": None}]
    shelf, rows = ModelShelf(SHIPPED), []
    for pack, index, part, name in PACKS:
        model = shelf.get(name)
        known = (
            (to_eight_bit(image), reference_of(truth_of(part, true), model))
            for image, true in fields(Path(data) / pack, index, "val")
        )
        rows += _of_cases(pack, known, model, quick, folder)
    if not quick:
        model = shelf.get("phase-scratch")
        frames = (decode_image(path.read_bytes()) for path in sorted(Path(data).glob(HELD_OUT_FRAMES)))
        rows += _of_cases("wound", (_found(frame, model) for frame in frames), model, quick, folder)
    return rows


def _found(frame: Image, model: StoredModel) -> Case:
    return to_eight_bit(frame), reference_of(builtin_segmenters()["scratch"].segment(frame), model)


def _of_cases(
    pack: str, cases: Iterator[Case], model: StoredModel, quick: bool, folder: Path | None
) -> list[dict[str, Any]]:
    """Seam scores and seconds of a pack's fields that are larger than a patch."""
    engine = OnnxCpuEngine(model.weights())
    real: list[float] = []
    scores: dict[Tiling, list[float]] = {tiling: [] for tiling in Tiling}
    seconds, megapixels = dict.fromkeys(Tiling, 0.0), 0.0
    for image, reference in (_whole_patches(*case) for case in cases):
        if not np.isfinite(score := seam_ratio(image.astype(np.float32), PATCH_PX)):
            continue  # no larger than a patch: there is no seam
        made = _made(image, reference, model, engine, seconds)
        for tiling in Tiling:
            scores[tiling].append(seam_ratio(made[tiling].astype(np.float32), PATCH_PX))
        if folder and not real:
            _draw(folder / f"tilings-{pack}.png", image, made)
        real.append(score)
        megapixels += image.size / 1e6
        if quick:
            break
    return [_seams(pack, real, scores), _times(pack, seconds, megapixels)]


def _whole_patches(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> Case:
    height, width = (
        length if -length % PATCH_PX < _STRIDE_PX else length // PATCH_PX * PATCH_PX for length in image.shape
    )
    return image[:height, :width], reference[:height, :width]


def _made(
    image: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    model: StoredModel,
    engine: Engine,
    seconds: dict[Tiling, float],
) -> Made:
    look, made = measure_likeness(image, reference, model.description), {}
    for tiling in Tiling:
        begin = time.perf_counter()
        made[tiling] = generate(reference, model.description, engine, like=look, tiling=tiling, tile_px=PATCH_PX).image
        seconds[tiling] += time.perf_counter() - begin
    return made


def _seams(pack: str, real: list[float], scores: dict[Tiling, list[float]]) -> dict[str, Any]:
    means = {tiling: float(np.mean(values)) for tiling, values in scores.items()}
    highest = max(real)
    told_of = ", ".join(f"{tiling} {mean:.3f}" for tiling, mean in means.items())
    off = max(abs(exact - whole) for exact, whole in zip(scores[Tiling.EXACT], scores[Tiling.WHOLE], strict=True))
    return {
        "name": f"seam score at {PATCH_PX} px, {pack}",
        "value": f"real {np.mean(real):.3f} ({min(real):.3f} to {highest:.3f}), {told_of}; {len(real)} fields",
        "target": f"exact is whole within {MOST_OFF_WHOLE}, and none but concat above the highest real one",
        "met": off <= MOST_OFF_WHOLE and all(means[tiling] <= highest for tiling in SEAMLESS),
        "scores": {"real": real, **scores},
    }


def _times(pack: str, seconds: dict[Tiling, float], megapixels: float) -> dict[str, Any]:
    """Of exact with tiles of a patch's size here; as served, with tiles three times that, it is near whole."""
    value = ", ".join(f"{tiling} {spent / megapixels:.2f}" for tiling, spent in seconds.items())
    return {"name": f"seconds a megapixel, {pack}", "value": value, "target": None, "met": None}


def _draw(path: Path, image: NDArray[np.uint8], made: Made) -> None:
    """Where four patches meet, at the range of brightness of the real image; below, eight times the difference from
    the whole.
    """
    centre = [min(PATCH_PX, length - _OUTER_PX) for length in image.shape]
    window = tuple(slice(at - _OUTER_PX, at + _OUTER_PX) for at in centre)
    low, high = np.percentile(image[window], (0.5, 99.5))

    def shown(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stretched = (plane[window].astype(np.float32) - low) / max(high - low, 1.0)
        return rgb((255 * np.clip(stretched, 0, 1)).astype(np.uint8))

    def off(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        difference = plane[window].astype(int) - made[Tiling.WHOLE][window]
        return rgb(np.clip(128 + 8 * difference, 0, 255).astype(np.uint8))

    above = side_by_side([("real", shown(image)), *((str(tiling), shown(made[tiling])) for tiling in Tiling)])
    grey = rgb(np.full(image.shape, 128, np.uint8)[window])
    below = side_by_side([("8 x (tiling - whole)", grey), *((str(tiling), off(made[tiling])) for tiling in Tiling)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.concatenate([above, below])))


if __name__ == "__main__":
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    found = figures("--quick" in sys.argv, folders[0] if folders else None)
    for row in found:
        print(told(row))
    if folders:
        (folders[0] / "tilings.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
