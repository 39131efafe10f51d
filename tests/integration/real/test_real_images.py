"""What the segmenters find on real microscopy; skips where the data packs are absent."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from services.common.imaging.images import decode_image
from services.evaluation.average_precision import average_precision
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import choose
from services.segmentation.wound import find_wound
from services.segmentation.wound_series import follow_wound


def test_auto_tells_fluorescence_from_phase_contrast(real_data: Path) -> None:
    fluorescence = sorted((real_data / "dsb2018-fluo" / "images").glob("*.png"))[::10]
    phase = [*(real_data / "wound" / "images").glob("*.jpg"), *(real_data / "usiigaci-phase" / "images").glob("*.png")]
    chosen = [choose(decode_image(path.read_bytes())) for path in fluorescence]
    assert chosen.count("nuclei") == len(chosen)
    assert {choose(decode_image(path.read_bytes())) for path in phase} == {"scratch"}


def test_nuclei_of_held_out_fields_are_found_as_well_as_tuned_otsu_and_watershed(real_data: Path) -> None:
    folder, nuclei = real_data / "dsb2018-fluo", builtin_segmenters()["nuclei"].segment
    with (folder / "split.csv").open() as file:
        fields = [row["id"] for row in csv.DictReader(file) if row["split"] == "val"][::3]
    scores = []
    for field in fields:
        true = cv2.imread(str(folder / "labels" / f"{field}.png"), cv2.IMREAD_UNCHANGED)
        found = nuclei(decode_image((folder / "images" / f"{field}.png").read_bytes())).nuclei
        assert true is not None and found is not None
        scores.append(average_precision(true.astype(np.int32), found).mean())
    assert np.mean(scores) > 0.45


def test_the_wound_of_a_scratch_frame_is_found_and_free_of_cells(real_data: Path) -> None:
    for name in ("cp_DMSO_B5_t24.jpg", "sas_05.jpg"):
        found = builtin_segmenters()["scratch"].segment(
            decode_image((real_data / "wound" / "images" / name).read_bytes())
        )
        assert found.wound is not None and found.cells is not None
        assert 0.1 < found.wound.mean() < 0.5
        assert not found.wound[found.cells > 0].any()
        assert found.cells.max() > 200


def test_scratches_have_a_wound_and_sparse_cells_have_none(real_data: Path) -> None:
    def count(pack: str) -> list[bool]:
        paths = sorted((real_data / pack / "images").iterdir())
        return [bool(find_wound(decode_image(path.read_bytes())).any()) for path in paths]

    assert all(count("wound"))
    assert not any(count("usiigaci-phase"))


def test_a_real_wound_shrinks_over_ten_hours(real_data: Path) -> None:
    first, middle, last = (
        decode_image((real_data / "wound" / "images" / f"sas_{hour:02d}.jpg").read_bytes()) for hour in (0, 5, 10)
    )
    shares = [float(follow_wound(frame, first).mean()) for frame in (first, middle, last)]
    assert 0.85 < shares[2] / shares[0] < shares[1] / shares[0] < 0.97
