"""The pictures that cards show."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import decode_image
from services.generation.model import PICTURE, SHIPPED, ModelShelf
from services.reference.schemas import named
from services.training.datasets.dataset import Entry
from services.training.generator.crops import Field
from services.training.generator.picture import CAPTION, draw_samples, scratched_kinds
from tests.unit.generation.fakes import LOOKS

SCRIPT = Path(__file__).parents[3] / "docs" / "model_pictures.py"


@pytest.mark.parametrize("name", ModelShelf(SHIPPED).names())
def test_the_card_of_a_shipped_model_shows_what_the_model_makes(name: str) -> None:
    model = ModelShelf(SHIPPED).get(name)
    data = (model.folder / PICTURE).read_bytes()
    assert len(data) < 300_000
    for words in (f"]({PICTURE})", CAPTION, model.description.sha256):
        assert words in model.card()
    scratched = runpy.run_path(str(SCRIPT))["SCRATCHED"][name]
    drawn = draw_samples(model.description, OnnxCpuEngine(model.weights()), scratched)
    assert drawn.shape[1] == 2 * drawn.shape[0]
    # Other processors round differently, which may tip a pixel by a level.
    assert np.abs(decode_image(data).astype(float) - drawn).mean() < 0.5


def test_kinds_with_a_wound_in_some_field_are_scratched() -> None:
    def field(source: str, level: int) -> Field:
        plane = np.full((4, 4), level, np.uint8)
        entry = Entry("1", "train", "1", source, "", "")
        return Field(entry, plane.astype(np.float32), plane, plane.astype(np.int32), LOOKS[0].look, plane[None] * 1.0)

    fields = [field("assay", 1), field("assay", 0), field("culture", 1)]
    assert scratched_kinds(named("cells4"), fields) == {"assay"}
    assert scratched_kinds(named("nuclei3"), fields) == set()
