"""Which masks `biosynth evaluate` takes for real and for generated images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from biosynth.v1.evaluation_pb2 import CompareSetsRequest, EvaluationResult, ImageSet
from numpy.typing import NDArray

from services.cli.commands import evaluate
from services.common.imaging.images import encode_png
from services.common.imaging.ometiff import decode_segmentation
from services.common.storage.folder import FolderStore
from tests.support.commands import Run, runner
from tests.support.label_maps import discs
from tests.support.mask_files import tiff

Labels = Callable[[ImageSet], list[NDArray[np.int32]]]


def truth(seed: int) -> NDArray[np.int32]:
    return discs(64, 80, 6, seed)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[CompareSetsRequest]:
    """Comparisons that the command asks for; none is made."""
    requests: list[CompareSetsRequest] = []

    def compare(request: CompareSetsRequest, *_: object) -> EvaluationResult:
        requests.append(request)
        result = EvaluationResult()
        result.metrics_json.file = b"{}"
        return result

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "_compare", compare)
    return requests


@pytest.fixture
def run(asked: list[CompareSetsRequest], capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder with real images and their masks, and with two orders as of `synthesize`."""
    sets = (("real", "labels", "well", 0), ("a/images", "a/masks", "00000", 10), ("b/images", "b/masks", "00000", 10))
    for images, masks, name, start in sets:
        for folder in (images, masks):
            Path(folder).mkdir(parents=True)
        for number in range(2):
            labels = truth(start + number)
            Path(images, f"{name}{number}.png").write_bytes(encode_png((labels > 0).astype(np.uint8) * np.uint8(90)))
            Path(masks, f"{name}{number}.tif").write_bytes(tiff(labels))
    return runner(capsys)


@pytest.fixture
def labels_of(tmp_path: Path) -> Labels:
    """What the fields of a set are said to show."""
    store = FolderStore(tmp_path / "cache" / "biosynth" / "store")

    def labels(images: ImageSet) -> list[NDArray[np.int32]]:
        keys = [field.segmentation.object.key for field in images.fields]
        return [np.asarray(decode_segmentation(store.get(key, 1 << 20)).nuclei) for key in keys]

    return labels


def test_generated_images_have_masks_of_their_own_where_these_are_given(
    run: Run, asked: list[CompareSetsRequest], labels_of: Labels
) -> None:
    given = ("real", "a/images", "--against", "b/images", "--labels", "labels", "--generated-labels", "a/masks")
    code, _, said = run("evaluate", *given, "--out", "report")
    assert code == 0, said
    [request] = asked
    for images, start in ((request.real, 0), (request.candidates[0], 10), (request.candidates[1], 10)):
        np.testing.assert_array_equal(labels_of(images), [truth(start), truth(start + 1)])


def test_without_them_those_of_labels_are_of_all_images(
    run: Run, asked: list[CompareSetsRequest], labels_of: Labels
) -> None:
    code, _, said = run("evaluate", "real", "a/images", "--labels", "labels", "--out", "report")
    assert code == 3 and not asked
    assert "expected masks of '000000' in labels" in said
    assert "--generated-labels" in said
    code, _, said = run("evaluate", "a/images", "b/images", "--labels", "a/masks", "--out", "report")
    assert code == 0, said
    for images in (asked[0].real, asked[0].candidates[0]):
        np.testing.assert_array_equal(labels_of(images), [truth(10), truth(11)])


def test_time_is_of_masks_of_real_images_alone(run: Run, asked: list[CompareSetsRequest], labels_of: Labels) -> None:
    for number in range(2):
        stack = np.stack([truth(5), truth(number)])
        Path("labels", f"well{number}.tif").write_bytes(tiff(stack, photometric="minisblack"))
        pixels = np.stack([truth(5) > 0, truth(number) > 0]).astype(np.uint8)
        Path("real", f"well{number}.png").unlink()
        Path("real", f"well{number}.tif").write_bytes(tiff(pixels, photometric="minisblack", metadata={"axes": "TYX"}))
    given = ("--time", 1, "--labels", "labels", "--generated-labels", "a/masks", "--out", "report")
    code, _, said = run("evaluate", "real", "a/images", *given)
    assert code == 0, said
    np.testing.assert_array_equal(labels_of(asked[0].real), [truth(0), truth(1)])
    np.testing.assert_array_equal(labels_of(asked[0].candidates[0]), [truth(10), truth(11)])
