"""A whole comparison: what is there, what is not and why, and that it is the same again."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.evaluation.sets.catalogue import set_metrics
from services.evaluation.sets.compare import SetFigure, SetReport
from services.evaluation.sets.fidelity import Judge
from tests.unit.evaluation.synthetic_fields import blur, changed, compare_sets, make_fields, renamed

REAL, ALIKE = (make_fields(10, seed, side=256, objects=30) for seed in (0, 1))
FEW = make_fields(4)


def _judge(image: NDArray[np.uint8]) -> Labels:
    return cv2.connectedComponents((image > 75).astype(np.uint8))[1].astype(np.int32)


JUDGE = Judge("nuclei", _judge)


def _figures(report: SetReport) -> dict[str, SetFigure]:
    return {figure.name: figure for figure in report.figures}


@pytest.fixture(scope="module")
def alike() -> SetReport:
    return compare_sets(REAL, ALIKE, train=make_fields(2, seed=2), judge=JUDGE, tile_px=32, resamples=20)


@pytest.fixture(scope="module")
def blurred() -> SetReport:
    return compare_sets(REAL[:6], changed(REAL[:6], blur), resamples=20)


def test_every_metric_is_told_once_in_the_order_of_the_catalogue(alike: SetReport) -> None:
    assert [figure.name for figure in alike.figures] == [metric.name for metric in set_metrics()]
    assert all(figure.what.endswith(".") for figure in alike.figures)


def test_no_number_is_made_up_and_none_is_nan(alike: SetReport, blurred: SetReport) -> None:
    for figure in (*alike.figures, *blurred.figures):
        if figure.value is None:
            assert figure.unavailable
            assert (figure.interval, figure.ceiling, figure.floors, figure.verdict) == (None, None, {}, "")
        else:
            numbers = [figure.value, *(figure.interval or ()), *(figure.ceiling or ()), *figure.floors.values()]
            assert np.isfinite(numbers).all()
            assert figure.unavailable == ""


def test_another_draw_of_the_same_process_is_like_real(alike: SetReport) -> None:
    found = _figures(alike)
    for name in ("discriminability", "spectrum_distance", "texture_distance", "morphology_distance"):
        assert found[name].verdict == "like real", found[name]
    assert "unusable" not in {figure.verdict for figure in alike.figures}


def test_blur_is_unusable(blurred: SetReport) -> None:
    found = _figures(blurred)
    for name in ("spectrum_distance", "texture_distance", "window_kernel_distance"):
        assert found[name].verdict == "unusable", found[name]
    # Halves of six fields have too few windows for trees to learn from, so there is no ceiling and no verdict.
    assert found["discriminability"].value == pytest.approx(1.0, abs=0.05)
    assert (found["discriminability"].ceiling, found["discriminability"].verdict) == (None, "")


def test_what_is_missing_is_said(blurred: SetReport) -> None:
    found = _figures(blurred)
    assert found["fidelity_ap50"].unavailable == "no judge was given"
    assert found["memorisation"].unavailable == "no training set was given"
    assert found["seam_score"].unavailable == "the side of the tiles was not given"
    assert found["wound_width_error"].unavailable.startswith("needs at least 1 field with a wound among its labels")


def test_sets_without_labels_of_one_small_field_have_reasons_and_no_bounds() -> None:
    tiny = [replace(field, labels=None) for field in make_fields(1, side=4)]
    report = compare_sets(tiny, tiny)
    assert {figure.value for figure in report.figures} == {None}
    assert all(figure.unavailable for figure in report.figures)
    assert report.spectra == {"real": (), "generated": ()}
    assert report.telling == ()
    assert report.statistics["real"].sd is None


def test_one_field_has_a_value_where_it_can_but_no_interval_and_no_verdict() -> None:
    found = _figures(compare_sets(REAL[:1], ALIKE[:1]))
    spectrum = found["spectrum_distance"]
    assert spectrum.value is not None
    assert (spectrum.interval, spectrum.ceiling, spectrum.verdict) == (None, None, "")
    assert "needs at least 5 fields" in found["discriminability"].unavailable


def test_the_report_is_the_same_again_whatever_order_and_names() -> None:
    other = changed(FEW, lambda image: 0.9 * image)
    first = compare_sets(FEW, other, judge=JUDGE, tile_px=32, resamples=20, seed=3)
    assert first == compare_sets(FEW, other, judge=JUDGE, tile_px=32, resamples=20, seed=3)
    again = compare_sets(renamed(FEW), renamed(other)[::-1], judge=JUDGE, tile_px=32, resamples=20, seed=3)
    assert first == again
    assert first != compare_sets(FEW, other, judge=JUDGE, tile_px=32, resamples=20, seed=4)


def test_statistics_and_spectra_are_those_of_each_set(alike: SetReport) -> None:
    greys = np.array([field.image.mean(dtype=np.float64) for field in ALIKE])
    statistics = alike.statistics["generated"]
    assert statistics.mean == pytest.approx(greys.mean())
    assert statistics.sd == pytest.approx(greys.std(ddof=1))
    assert statistics.cv == pytest.approx(greys.std(ddof=1) / greys.mean())
    spectra = [np.array(alike.spectra[name]) for name in ("real", "generated")]
    assert [len(each) for each in spectra] == [63, 63]
    assert np.abs(spectra[0] - spectra[1]).mean() == pytest.approx(_figures(alike)["spectrum_distance"].value)


def test_what_tells_sets_apart_is_what_was_done_to_them(alike: SetReport, blurred: SetReport) -> None:
    brighter = compare_sets(REAL, changed(REAL, lambda image: image + 0.2), resamples=20).telling
    for report in (alike, blurred):
        assert len(report.telling) == 7
        distances = [abs(feature.area - 0.5) for feature in report.telling]
        assert distances == sorted(distances, reverse=True)
    assert abs(alike.telling[0].area - 0.5) < 0.3
    [power] = [feature for feature in blurred.telling if feature.name.startswith("power")]
    assert [power.area, *(power.interval or ())] == [0, 0, 0]
    assert power.generated < power.real - 1
    greys = {feature.name: feature for feature in brighter[:2]}
    assert {"mean grey"} < greys.keys() and brighter[0].area == brighter[1].area == 1
    assert greys["mean grey"].generated == pytest.approx(greys["mean grey"].real + 0.2, abs=1e-3)


def test_progress_ends_every_stage_that_it_begins() -> None:
    told: list[tuple[str, int, int]] = []
    fields = [*FEW, replace(make_fields(1, seed=5, side=160)[0], name="odd", labels=None)]
    compare_sets(fields, fields, resamples=0, progress=lambda stage, done, total: told.append((stage, done, total)))
    last = {stage: (done, total) for stage, done, total in told}
    assert {stage for stage, (done, total) in last.items() if done == total} == set(last)
    assert next(iter(last)) == "real images"
    assert list(last)[-1] == "figures"


def test_empty_sets_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="generated set; got 0"):
        compare_sets(REAL, [])
    with pytest.raises(InvalidArgument, match="real set; got 0"):
        compare_sets([], REAL)
