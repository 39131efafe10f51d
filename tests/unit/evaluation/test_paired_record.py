"""Paired metrics as metrics.json has them, beside those of degraded copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.evaluation.paired_metrics import PAIRED_METRICS
from services.evaluation.paired_record import paired_floors, paired_record
from services.evaluation.pictures import Picture, PictureSet
from tests.unit.evaluation.synthetic_fields import make_fields

FIELDS = make_fields(4)


def _pictures(name: str, shift: int = 0) -> PictureSet:
    pictures = [Picture(field.name, np.roll(np.rint(field.image * 255).astype(np.uint8), shift, 1)) for field in FIELDS]
    return PictureSet(name, tuple(field.name for field in FIELDS), pictures)


def _told(_stage: str, _done: int, _total: int) -> None:
    pass


def test_floors_are_the_means_of_real_fields_beside_their_degraded_copies() -> None:
    found = paired_floors(FIELDS, None, 0, _told)
    assert list(found) == [metric.name for metric in PAIRED_METRICS]
    assert found["ssim"].keys() == {"blurred", "flat_paint"}
    assert 0 < found["ssim"]["blurred"] < 1
    # Blur is nearer, pixel by pixel, than an image with texture of its own would be.
    record = paired_record(
        _pictures("real"), _pictures("made", shift=40), [f.name for f in FIELDS], None, 0, _told, found
    )
    by_name = {metric["name"]: metric for metric in record["metrics"]}
    assert by_name["psnr_db"]["floors"]["blurred"] > by_name["psnr_db"]["mean"]
    assert by_name["lpips"]["floors"] == {}


def test_floors_of_8_bit_do_not_stand_beside_pairs_of_16_bit() -> None:
    deep = PictureSet("deep", tuple(f.name for f in FIELDS), [Picture(f.name, _dim(f.image)) for f in FIELDS])
    floors = paired_floors(FIELDS, None, 0, _told)
    for candidate, has in ((deep, False), (_pictures("made"), True)):
        record = paired_record(deep, candidate, deep.names, None, 0, _told, floors)
        assert [bool(metric["floors"]) for metric in record["metrics"]][:4] == [has] * 4


def _dim(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(image * 2000).astype(np.uint16)


def test_fields_without_labels_have_no_flat_paint_beside_them() -> None:
    found = paired_floors([replace(field, labels=None) for field in FIELDS], None, 0, _told)
    assert found["mse"].keys() == {"blurred"}
