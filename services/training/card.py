"""What is told of a training: its record in a model's description, and the model's card for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from services.common.engines.cores import usable_cores


def training_record(dataset: str, fields: Mapping[str, int], seconds: float, config: Any) -> dict[str, Any]:
    """How a network was trained, as JSON has it. fields: how many, by what; config: hyper-parameters, a dataclass."""
    return {
        "dataset": dataset,
        "fields": dict(fields),
        "minutes": round(seconds / 60.0, 1),
        "machine": f"{usable_cores()} CPU cores, {platform.machine()}",
        "torch": torch.__version__.partition("+")[0],
        "hyper-parameters": asdict(config),
    }


def licence_fact(licence: str) -> str:
    """What a card says of the weights' licence: an SPDX identifier, or "" where whoever trained has stated none."""
    return f"Licence of the weights: {licence or 'not stated'}."


def _told(value: Any) -> str:
    """A value of the record for people.

    >>> _told({"train": 381, "val": 52})
    'train 381, val 52'
    """
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, Mapping) else str(value)


def write_card(
    path: Path,
    title: str,
    description: str,
    facts: Sequence[str],
    training: Mapping[str, Any],
    provenance: Sequence[str],
    measured: Sequence[str],
    last: tuple[str, str],
) -> None:
    """Write a model card in Markdown. measured: lines on held-out fields; last: title and text of the last section."""
    lines = [
        f"# {title}",
        "",
        description,
        "",
        *(f"- {fact}" for fact in facts),
        "",
        "## Training",
        "",
        *(f"- {key}: {_told(value)}" for key, value in training.items()),
        "",
        "## Data",
        "",
        *(f"- {source}" for source in provenance),
        "",
        "## Measured on held-out fields",
        "",
        *measured,
        "",
        f"## {last[0]}",
        "",
        last[1],
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
