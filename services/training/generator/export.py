"""From a trained network to a model folder that serves without torch."""

from __future__ import annotations

import copy
import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import save_file

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import ConfigError
from services.generation.model import TORCH_WEIGHTS, WEIGHTS
from services.generation.network import STRIDE, Generator

OPSET = 18
TOLERANCE = 1e-4


def export(network: Generator, folder: Path) -> tuple[str, str]:
    """Write `model.onnx` and `model.safetensors`; returns their sha256.

    Raises ConfigError where ONNX Runtime's answer differs from torch's by more than 1e-4.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A copy: the caller's network keeps its mode and its memory format.
    network = copy.deepcopy(network).float().eval().to(memory_format=torch.contiguous_format)
    example = torch.randn(1, network.config.planes, 16 * STRIDE, 24 * STRIDE)
    path = folder / WEIGHTS
    _export_graph(network, example, path)
    with torch.no_grad():
        difference = np.abs(OnnxCpuEngine(path).run(example.numpy()) - network(example).numpy()).max()
    if difference > TOLERANCE:
        raise ConfigError(f"expected ONNX Runtime within {TOLERANCE} of torch; got {difference:.2e}")
    torch_path = folder / TORCH_WEIGHTS
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, torch_path)
    torch_path.chmod(0o644)  # the library makes it private, but servers run as another user
    return hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(torch_path.read_bytes()).hexdigest()


def _export_graph(network: Generator, example: torch.Tensor, path: Path) -> None:
    # Dimensions in units of the stride, so that the exporter knows that it divides them.
    rows, columns = torch.export.Dim("rows", min=1), torch.export.Dim("columns", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["planes"],
            output_names=["image"],
            dynamic_shapes={"planes": {2: STRIDE * rows, 3: STRIDE * columns}},
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    _drop_metadata(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _drop_metadata(model: onnx.ModelProto) -> None:
    """Forget stack traces: they name paths of the machine that exported, and make two exports differ."""
    del model.metadata_props[:]
    for node in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del node.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = ""
