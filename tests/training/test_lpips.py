"""The LPIPS network that an operator mounts; here a stand-in that weights the three channels' differences."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.errors import ConfigError, InvalidImage
from services.common.imaging.images import Image
from services.evaluation.lpips import Lpips
from services.evaluation.paired import compare_pair

Write = Callable[..., Path]
Depth = type[np.uint8] | type[np.uint16]


@pytest.fixture
def network(tmp_path: Path) -> Write:
    """Writes an ONNX file: the mean of |x - y|, channels weighted by 1, 2 and 4, divided by `divisor`."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def write(
        names: tuple[str, ...] = ("x", "y"),
        shape: tuple[Any, ...] = (1, 3, "H", "W"),
        kind: int = floats,
        keepdims: int = 1,
        axes: tuple[int, ...] = (0, 1, 2, 3),
        divisor: float = 7.0,
    ) -> Path:
        weights = helper.make_tensor("weights", kind, (1, 3, 1, 1), [3.0, 6.0, 12.0])
        constants = [weights, helper.make_tensor("divisor", kind, (), [divisor])]
        constants.append(helper.make_tensor("axes", onnx.TensorProto.INT64, (len(axes),), axes))
        nodes = [
            helper.make_node("Sub", [names[0], names[1]], ["difference"]),
            helper.make_node("Abs", ["difference"], ["size"]),
            helper.make_node("Mul", ["size", "weights"], ["weighted"]),
            helper.make_node("ReduceMean", ["weighted", "axes"], ["mean"], keepdims=keepdims),
            helper.make_node("Div", ["mean", "divisor"], ["distance"]),
        ]
        inputs = [helper.make_tensor_value_info(name, kind, shape) for name in names]
        outputs = [helper.make_tensor_value_info("distance", kind, None)]
        graph = helper.make_graph(nodes, "stand-in", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        path = tmp_path / "lpips.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def _images(dtype: Depth) -> tuple[Image, Image]:
    images: NDArray[Any] = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (2, 19, 23), dtype, endpoint=True)
    return images[0], images[1]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_network_sees_grey_in_three_channels_from_minus_1_to_1(network: Write, dtype: Depth, keepdims: int) -> None:
    lpips = Lpips(network(keepdims=keepdims), threads=1)
    real, generated = _images(dtype)
    top = np.iinfo(dtype).max
    planes = [2 * image.astype(np.float64) / top - 1 for image in (real, generated)]
    assert lpips(real, generated) == pytest.approx(np.abs(planes[0] - planes[1]).mean(), rel=1e-5)
    assert lpips(real | dtype(top), real & dtype(0)) == 2.0
    assert lpips(real, real) == 0.0


def test_it_is_one_of_the_metrics_of_a_pair_and_knows_its_file(network: Write) -> None:
    file = network()
    lpips, images = Lpips(file), _images(np.uint8)
    metrics = {one.name: one.value for one in compare_pair(*images, lpips)}
    assert metrics["mae"] is not None
    assert metrics["lpips"] == pytest.approx(2 * metrics["mae"], rel=1e-5)
    assert lpips.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_absent_file_is_told_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"BIOSYNTH_LPIPS_FILE: expected an ONNX file at .*absent\.onnx, got No such"):
        Lpips(tmp_path / "absent.onnx")
    with pytest.raises(ConfigError, match=r"BIOSYNTH_LPIPS_FILE: .*got Is a directory"):
        Lpips(tmp_path)


def test_a_file_that_is_not_onnx_is_told_with_the_variable(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "weights.pth").write_bytes(b"no network")
    with pytest.raises(ConfigError, match=r"BIOSYNTH_LPIPS_FILE: .*weights\.pth cannot be loaded"):
        Lpips(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    "other",
    [
        {"names": ("real", "generated")},
        {"names": ("x", "y", "z")},
        {"shape": (1, 1, "H", "W")},
        {"shape": (2, 3, "H", "W")},
        {"kind": 11},  # float64
        {"axes": (0, 1), "shape": (1, 3, 64, 64)},  # a map, not one number
    ],
)
def test_other_inputs_and_outputs_are_told_beside_the_expected_ones(network: Write, other: dict[str, Any]) -> None:
    expected = r"BIOSYNTH_LPIPS_FILE: expected a network with inputs x and y of \(1, 3, H, W\) float32 .*; got inputs "
    with pytest.raises(ConfigError, match=expected):
        Lpips(network(**other))


def test_without_onnx_runtime_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lpips.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match="BIOSYNTH_LPIPS_FILE: expected the package onnxruntime"):
        Lpips(tmp_path / "lpips.onnx")


def test_a_size_that_the_network_refuses_is_the_images_error(network: Write) -> None:
    lpips, images = Lpips(network(shape=(1, 3, 64, 64))), _images(np.uint8)
    with pytest.raises(InvalidImage, match=r"a size that the LPIPS network takes, got \(19, 23\)"):
        lpips(*images)
    assert "takes, got (19, 23)" in compare_pair(*images, lpips)[-1].unavailable


@pytest.mark.parametrize("other", [{"divisor": 0.0}, {"axes": (0, 1)}])
def test_what_is_not_one_finite_number_is_no_distance(network: Write, other: dict[str, Any]) -> None:
    lpips = Lpips(network(**other))
    with pytest.raises(InvalidImage, match=r"a finite number for, got \(19, 23\)"):
        lpips(*_images(np.uint8))
