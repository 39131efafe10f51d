"""From a torch network to an ONNX file that serves without torch."""

from __future__ import annotations

import copy
import hashlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from services.common.engines.onnx_cpu import OPSET, OnnxCpuEngine
from services.common.errors import ConfigError

TOLERANCE = 1e-4


def export_onnx(network: nn.Module, planes: int, stride: int, outputs: Sequence[str], path: Path) -> str:
    """Write a network from (B, planes, H, W) to `outputs`, sides divisible by `stride`; returns the file's SHA-256.

    The same weights give the same bytes. Raises ConfigError, and writes nothing, where ONNX Runtime's answer differs
    from torch's by more than 1e-4.
    """
    # A copy: the caller's network keeps its mode and its memory format.
    network = copy.deepcopy(network).float().eval().to(memory_format=torch.contiguous_format)
    steps = max(2, min(16, 512 // stride))
    example = torch.randn(1, planes, steps * stride, steps * 3 // 2 * stride)
    data = _graph(network, example, stride, outputs)
    with torch.no_grad():
        expected = network(example)
    expected = (expected if isinstance(expected, tuple) else (expected,))[0]
    difference = np.abs(OnnxCpuEngine(data).run(example.numpy()) - expected.numpy()).max()
    if difference > TOLERANCE:
        raise ConfigError(f"expected ONNX Runtime within {TOLERANCE} of torch; got {difference:.2e}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _graph(network: nn.Module, example: torch.Tensor, stride: int, outputs: Sequence[str]) -> bytes:
    # Dimensions in units of the stride, so that the exporter knows that it divides them.
    rows, columns = torch.export.Dim("rows", min=1), torch.export.Dim("columns", min=1)
    # The exporter says on stderr that torchvision is not there, which nothing of ours needs.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["planes"],
            output_names=list(outputs),
            dynamic_shapes=({2: stride * rows, 3: stride * columns},),
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    _drop_metadata(model)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _drop_metadata(model: onnx.ModelProto) -> None:
    """Forget stack traces: they name paths of the machine that exported, and make two exports differ."""
    del model.metadata_props[:]
    for node in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del node.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = ""
