"""The network that judges pixels: what it tells apart, what it does not, and that it does so again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the judge needs torch: the `training` extra")

from biosynth.v1.evaluation_pb2 import CompareSetsRequest, ImageSet
from biosynth.v1.types_pb2 import Content, Delivery

from services.common.imaging.images import encode_png
from services.common.storage.folder import FolderStore
from services.evaluation.sets.classifier import Fold
from services.evaluation.sets.pixel_discriminability import pixel_discriminability
from services.training.judge import pixel_judge
from services.training.judge.network import planes_of
from services.training.judge.pixel_judge import PixelJudge
from tests.integration.services.conftest import stack
from tests.support.pictures import nuclei_picture
from tests.unit.evaluation.synthetic_fields import blur, changed, figure, make_fields

REAL, OTHERS = make_fields(10), make_fields(10, seed=1)
METRIC = pixel_discriminability(PixelJudge(), seed=0)


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Makes torch refuse whatever could give other bits the next time."""
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def test_it_does_not_tell_two_draws_of_one_process() -> None:
    assert abs(figure(METRIC, REAL, OTHERS) - 0.5) < 0.2


def test_it_tells_blur() -> None:
    assert figure(METRIC, REAL, changed(OTHERS, blur)) > 0.95


def test_it_tells_exposure() -> None:
    assert figure(METRIC, REAL, changed(OTHERS, lambda image: 0.6 * image)) > 0.9


def _scores(seed: int) -> list[NDArray[np.float64]]:
    windows = np.random.default_rng(0).random((12, 16, 16), np.float32)
    folds = [Fold(np.arange(12)[np.arange(12) % 3 != rest], np.arange(12)[rest::3]) for rest in range(3)]
    return PixelJudge()(windows, np.arange(12) % 2, folds, seed)


def test_it_says_the_same_again_on_one_core_or_more(deterministic: None, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, found = torch.get_num_threads(), np.array(_scores(seed=0))
    assert found.shape == (3, 4) and np.isfinite(found).all()
    for cores in (1, 3):
        monkeypatch.setattr(pixel_judge, "usable_cores", lambda cores=cores: cores)
        assert np.array_equal(_scores(seed=0), found)
    assert torch.get_num_threads() == threads
    assert not np.array_equal(_scores(seed=2**64 - 1), found)


def test_a_service_with_torch_uses_it_where_it_is_asked_to_and_its_results_name_torch(tmp_path: Path) -> None:
    sets = [ImageSet(name=name) for name in ("real", "made")]
    for number in range(5):
        image = encode_png(nuclei_picture(128, 128, 6, number))
        for one in sets:
            one.fields.add(name=str(number), image=Content(file=image))
    request = CompareSetsRequest(real=sets[0], candidates=sets[1:], delivery=Delivery.DELIVERY_FILE)
    store = FolderStore(tmp_path / "store")
    store.check()
    with stack(store, tmp_path) as client:
        found = []
        for asked in (False, True, True):
            request.pixel_classifier = asked
            *_, last = client.evaluation.CompareSets(request)
            found.append(last.result)
    assert [result.cached for result in found] == [False, False, True]
    metrics = json.loads(found[1].metrics_json.file)
    [row] = [row for row in metrics["candidates"][0]["sets"] if row["name"] == "discriminability_cnn"]
    assert row["value"] == 0.5  # the sets are the same
    assert torch.__version__.startswith(metrics["versions"]["torch"])


def test_exposure_is_in_the_first_plane_alone_and_one_grey_has_no_texture() -> None:
    window = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, deviation = torch.tensor(0.5), torch.tensor(0.2)
    flat = planes_of(torch.full_like(window, 0.25), mean, deviation)
    assert flat.shape == (1, 3, 64, 64)
    assert torch.allclose(flat[0].mean((1, 2)), torch.tensor([-1.25, 0.0, 0.0]), atol=1e-4)
    full, half = planes_of(window, mean, deviation), planes_of(window / 2, mean, deviation)
    assert torch.allclose(full[:, 1:], half[:, 1:], atol=1e-4)
    assert not torch.allclose(full[:, 0], half[:, 0], atol=0.1)
