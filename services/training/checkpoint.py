"""Checkpoints: networks, optimisers and torch's random state as safetensors, the rest as JSON in that file's header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from services.common.errors import InvalidArgument
from services.common.whole_files import write_file

FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path,
    modules: Mapping[str, nn.Module],
    optimisers: Sequence[torch.optim.Optimizer],
    state: Mapping[str, Any],
) -> None:
    """Write all of it to `folder`/checkpoint.safetensors, whole or not at all. state: what JSON can hold."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for index, optimiser in enumerate(optimisers):
        for parameter, fields in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser{index}.{parameter}.{key}": value for key, value in fields.items()}
    tensors["torch_random"] = torch.get_rng_state()
    whole = {key: value.contiguous().clone() for key, value in tensors.items()}
    write_file(folder / FILE, save(whole, metadata={"state": json.dumps(state)}))


def read_state(folder: Path) -> dict[str, Any]:
    """What `save_checkpoint` was given as `state`. Raises InvalidArgument for a file that is no checkpoint."""
    try:
        with safe_open(folder / FILE, "pt") as file:
            state: dict[str, Any] = json.loads(file.metadata()["state"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(
            f"expected a checkpoint at {folder / FILE}; it cannot be read ({error}); delete it to begin anew"
        ) from error
    return state


def load_checkpoint(
    folder: Path, modules: Mapping[str, nn.Module], optimisers: Sequence[torch.optim.Optimizer]
) -> None:
    """Put networks, optimisers and torch's random generator into the state that was saved.

    Raises InvalidArgument, before anything is changed, for a file that has other networks.
    """
    tensors = load_file(folder / FILE)
    for name, module in modules.items():
        if _under(tensors, name).keys() != module.state_dict().keys():
            raise InvalidArgument(
                f"expected weights of the {name} as this version has them in {folder / FILE}; another wrote it; "
                "choose another --work"
            )
    for name, module in modules.items():
        module.load_state_dict(_under(tensors, name))
    for index, optimiser in enumerate(optimisers):
        body = optimiser.state_dict()
        body["state"] = {}
        for key, value in _under(tensors, f"optimiser{index}").items():
            parameter, _, field = key.partition(".")
            body["state"].setdefault(int(parameter), {})[field] = value
        optimiser.load_state_dict(body)
    torch.set_rng_state(tensors["torch_random"])


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
