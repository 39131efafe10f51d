"""The files of a run."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth.v1.generation_pb2 import GenerateResponse
from biosynth.v1.pipeline_pb2 import RunResult
from biosynth.v1.reference_pb2 import RenderResponse
from biosynth.v1.segmentation_pb2 import SegmentResponse
from biosynth.v1.types_pb2 import Content
from numpy.typing import NDArray

from services.cli.overview import GAP_PX, PANEL_HEIGHT_PX, TITLE_PX
from services.cli.run_files import run_files
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.segmentation.objects import objects_of, table_of
from services.segmentation.segmenter import Found

SIZE = (PANEL_HEIGHT_PX, 200)
NOTHING = Segmentation(nuclei=np.zeros(SIZE, np.int32))


def _result(generated: NDArray[np.uint8]) -> RunResult:
    grey = Content(file=encode_png(np.zeros(SIZE, np.uint8)))
    table = table_of(objects_of(Found(NOTHING), {"nuclei": np.zeros(SIZE, np.uint8)}))
    return RunResult(
        segmentation=SegmentResponse(
            segmentation=Content(file=encode_segmentation(NOTHING)), objects=Content(file=table)
        ),
        reference=RenderResponse(reference=grey, grey=grey),
        generation=GenerateResponse(image=Content(file=encode_png(generated))),
    )


def _panels(image: NDArray[np.uint8], generated: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first and the last of the overview, without their titles."""
    drawn = decode_image(run_files(image, _result(generated)).files["overview.png"]).view(np.uint8)[TITLE_PX:]
    step = SIZE[1] + GAP_PX
    return drawn[:, : SIZE[1]], drawn[:, 3 * step :]


@pytest.mark.parametrize("high", [40, 255], ids=["dim", "bright"])
def test_the_overview_shows_source_and_generated_image_at_one_range(high: int) -> None:
    image = np.random.default_rng(0).integers(5, high, SIZE).astype(np.uint8)
    source, same = _panels(image, image)
    assert np.array_equal(source, same) and int(source.max()) - int(source.min()) > 240
    # Half as bright is shown as darker, and not stretched to the same: that would hide the difference.
    source, darker = _panels(image, image // 2)
    assert float(darker.mean()) < 0.6 * float(source.mean())
