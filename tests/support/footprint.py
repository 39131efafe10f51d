"""How much memory a computation takes at its peak, seen in a process of its own: `python -m ... OPERATION SIDE_PX`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from biosynth.contract import CELLS_CHANNEL_SEGMENTER, NUCLEI_CHANNEL_SEGMENTER

from services.common.engines.engine import Engine
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.engines.openvino_cpu import OpenVinoEngine
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import decode_segmentation, encode_segmentation
from services.common.packing import pack_tar
from services.evaluation.evaluate import evaluate
from services.evaluation.paired import compare_pair
from services.evaluation.pictures import Picture, PictureSet
from services.generation.generate import generate
from services.generation.model import SHIPPED, read_model
from services.generation.tilings import Tiling
from services.reference.render import render
from services.reference.schemas import named
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.learned.segmenter import shipped
from services.segmentation.paired import paired
from tests.support.processes import resident

CELL_PX = 32


def added(operation: str, side_px: int) -> int:
    """Bytes by which a fresh process grows at most while it computes with images of this side."""
    command = [sys.executable, "-m", "tests.support.footprint", operation, str(side_px)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _image(side: int) -> bytes:
    """A dense field of bright squares in 16 bit, as PNG."""
    generator = np.random.default_rng(side)
    image = generator.normal(300, 40, (side, side)).astype(np.float32) + 4000 * (_labels(side) > 0)
    return encode_png(np.clip(cv2.GaussianBlur(image, (0, 0), 3), 0, 65535).astype(np.uint16))


def _labels(side: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    down, right = np.indices((side, side), np.int32)
    labels = (down // CELL_PX) * (side // CELL_PX + 1) + right // CELL_PX + 1
    shown = (down % CELL_PX > 4) & (right % CELL_PX > 4) & ((down // CELL_PX + right // CELL_PX) % 3 > 0)
    return np.where(shown, labels, 0).astype(np.int32)


def _segmentation(side: int) -> bytes:
    cells = _labels(side)
    nuclei = np.where(cv2.erode((cells > 0).astype(np.uint8), np.ones((9, 9))) > 0, cells, 0)
    return encode_segmentation(Segmentation(cells=cells, nuclei=nuclei, wound=np.zeros(cells.shape, bool)))


def _segment(name: str, side: int) -> Callable[[], object]:
    data = _image(side)
    return lambda: encode_segmentation(builtin_segmenters()[name].segment(decode_image(data)))


def _two_channels(side: int) -> Callable[[], object]:
    data, find = _image(side), builtin_segmenters()

    def work() -> object:
        stained, shown = decode_image(data), decode_image(data)[::-1]
        cells = find[CELLS_CHANNEL_SEGMENTER].find(shown, None)
        nuclei = find[NUCLEI_CHANNEL_SEGMENTER].find(stained, None)
        return encode_segmentation(paired(cells, nuclei).found.segmentation)

    return work


def _render(side: int) -> Callable[[], object]:
    shown, data = _segmentation(side), _image(side)

    def work() -> object:
        made = render(
            decode_segmentation(shown), named("levels9"), image=decode_image(data), tier_limits=(60, 90, 120, 180)
        )
        return encode_png(made.reference), encode_png(made.grey)

    return work


def _generate(tiling: Tiling, open_engine: Callable[[bytes], Engine], side: int) -> Callable[[], bytes]:
    stored = read_model(SHIPPED / "fluo-nuclei")
    model, engine = stored.description, open_engine(stored.weights())
    data = encode_png(render(Segmentation(nuclei=_labels(side)), named("nuclei3")).reference)
    return lambda: encode_png(generate(decode_image(data).view(np.uint8), model, engine, tiling=tiling).image)


def _generate_shard(side: int) -> Callable[[], object]:
    """Of one image: files of more come to it, and are reckoned."""
    made = _generate(Tiling.EXACT, OnnxCpuEngine, side)
    return lambda: pack_tar([("a.png", made())])


def _compare_pair(side: int) -> Callable[[], object]:
    data = _image(side)
    return lambda: compare_pair(decode_image(data), decode_image(data)[::-1])


def _compare_sets(side: int) -> Callable[[], object]:
    pictures = [Picture(str(number), decode_image(_image(side))) for number in range(2)]
    real, made = (PictureSet(name, ("0", "1"), pictures) for name in ("real", "made"))
    return lambda: evaluate(real, [made], describe=shipped("nuclei").describe)


WORK: dict[str, Callable[[int], Callable[[], object]]] = {
    **{f"segment:{name}": partial(_segment, name) for name in builtin_segmenters()},
    "segment:two-channels": _two_channels,
    "render": _render,
    "generate": partial(
        _generate, Tiling.EXACT, OnnxCpuEngine
    ),  # patches take less: 178 MB against 276 for 4 megapixels
    "generate-shard": _generate_shard,
    "generate-whole": partial(_generate, Tiling.WHOLE, OnnxCpuEngine),
    **({"generate:openvino": partial(_generate, Tiling.EXACT, OpenVinoEngine)} if find_spec("openvino") else {}),
    "compare-pair": _compare_pair,
    "compare-sets": _compare_sets,
}


def main() -> None:
    """Print the bytes."""
    operation, side = sys.argv[1], int(sys.argv[2])
    WORK[operation](128)()  # what is loaded and kept once
    work = WORK[operation](side)
    before = resident(os.getpid())
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    work()
    print(resident(os.getpid(), peak=True) - before)


if __name__ == "__main__":
    main()
