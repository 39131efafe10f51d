"""From a trained generator to the weights in its model folder."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from services.generation.model import TORCH_WEIGHTS, WEIGHTS
from services.generation.network import Stem
from services.training.generator.architectures import Network
from services.training.onnx_export import export_onnx


def export(network: Network, folder: Path) -> tuple[str, str]:
    """Write `model.onnx` and `model.safetensors`; returns their sha256. Raises ConfigError as `export_onnx`."""
    sha256 = export_onnx(
        _for_cpus(network), network.config.planes, network.config.stride_px, ["image"], folder / WEIGHTS
    )
    path = folder / TORCH_WEIGHTS
    weights = {
        name: tensor.float().contiguous(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    save_file(weights, path)
    path.chmod(0o644)  # the library makes it private, but servers run as another user
    return sha256, hashlib.sha256(path.read_bytes()).hexdigest()


def _for_cpus(network: Network) -> Network:
    """The same network, its layers laid out as they are fastest there."""
    if isinstance(stem := getattr(network, "stem", None), Stem):
        network = copy.deepcopy(network)
        network.stem = stem.of_pixels()
    return network
