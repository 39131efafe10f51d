"""The Inception network that an operator mounts; here a stand-in: the means of the three channels, weighted 1, 2, 4."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.errors import ConfigError, InvalidImage
from services.evaluation.config import EvaluationConfig
from services.evaluation.inception import Inception
from services.evaluation.sets.field import Field
from services.evaluation.sets.frechet import fid
from services.evaluation.sets.windows import cut_windows
from tests.unit.evaluation.synthetic_fields import changed, figure, make_fields

Write = Callable[..., Path]


@pytest.fixture
def network(tmp_path: Path) -> Write:
    """Writes an ONNX file: the channels' means, weighted; not a number where a mean is below `darkest`."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def write(
        shape: tuple[Any, ...] = ("N", 3, 299, 299),
        kind: int = floats,
        inputs: tuple[str, ...] = ("image",),
        axes: tuple[int, ...] = (2, 3),
        darkest: float = -1.0,
    ) -> Path:
        constants = [
            helper.make_tensor("weights", kind, (3,) if len(axes) == 2 else (3, 1), [1.0, 2.0, 4.0]),
            helper.make_tensor("darkest", kind, (), [darkest]),
            helper.make_tensor("axes", onnx.TensorProto.INT64, (len(axes),), axes),
        ]
        nodes = [
            helper.make_node("ReduceMean", [inputs[0], "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "weights"], ["weighted"]),
            helper.make_node("Sub", ["mean", "darkest"], ["above"]),
            helper.make_node("Sqrt", ["above"], ["root"]),
            helper.make_node("Sub", ["root", "root"], ["nothing"]),
            helper.make_node("Add", ["weighted", "nothing"], ["features"]),
        ]
        graph = helper.make_graph(
            nodes,
            "stand-in",
            [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
            [helper.make_tensor_value_info("features", kind, None)],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        path = tmp_path / "inception.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.mark.parametrize("batch", ["N", 1])
def test_the_network_sees_enlarged_windows_grey_in_three_channels_from_0_to_1(network: Write, batch: Any) -> None:
    file = network(shape=(batch, 3, 299, 299))
    inception = Inception(file, threads=1)
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (128, 1))
    found = inception.measure(Field("a", ramp))
    means = [window.mean() for window in cut_windows(ramp)]
    assert found == pytest.approx(np.outer(means, [1, 2, 4]), rel=1e-4)
    assert inception.measure(Field("b", ramp[:100])).shape == (0, 3)
    assert len(inception.measure(Field("c", np.zeros((384, 384), np.float32)))) == 8
    assert inception.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_fid_is_the_frechet_distance_of_its_features(network: Write) -> None:
    real = make_fields(24)
    other = changed(make_fields(24, seed=1), lambda image: image * np.float32(0.5))
    greys = [np.array([field.image.mean() for field in fields], np.float64) for fields in (real, other)]
    # All features are multiples of one grey: one dimension, in which the distance is that of means and deviations.
    means, deviations = ([f(each) for each in greys] for f in (np.mean, lambda each: each.std(ddof=1)))
    expected = (1 + 4 + 16) * ((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2)
    assert figure(fid(Inception(network()).measure), real, other) == pytest.approx(expected, rel=1e-3)


def test_the_settings_name_the_file(network: Write, tmp_path: Path) -> None:
    assert EvaluationConfig.from_env({}).inception() is None
    config = EvaluationConfig.from_env({"BIOSYNTH_INCEPTION_FILE": str(network())})
    assert config.inception() is not None and config.lpips() is None
    with pytest.raises(ConfigError, match="BIOSYNTH_INCEPTION_FILE"):
        EvaluationConfig.from_env({"BIOSYNTH_INCEPTION_FILE": str(tmp_path / "absent.onnx")}).inception()


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": ("x", "y")},
        {"shape": ("N", 1, 299, 299)},
        {"shape": ("N", 3, 224, 224)},
        {"shape": (8, 3, 299, 299)},
        {"kind": 11},  # float64
        {"axes": (3,)},  # a map, not a row of features
        {"darkest": 0.9},  # not a number for grey
    ],
)
def test_another_network_is_told_beside_the_expected_one(network: Write, other: dict[str, Any]) -> None:
    expected = (
        r"BIOSYNTH_INCEPTION_FILE: expected a network with one input \(N, 3, 299, 299\) float32, .*inception\.onnx"
    )
    with pytest.raises(ConfigError, match=expected):
        Inception(network(**other))


def test_what_is_not_finite_is_the_images_error(network: Write) -> None:
    inception = Inception(network(darkest=0.25))
    with pytest.raises(InvalidImage, match=r"expected finite features .* shape \(1, 3\)"):
        inception.measure(Field("dark", np.zeros((128, 128), np.float32)))
