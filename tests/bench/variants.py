"""What each part of a generator's training is worth: `python -m tests.bench.variants DATASET --out DIR`.

Trains the default with one change at a time, each for the same CPU time, and judges it as `learning_curves` does.
Needs torch and BIOSYNTH_TEST_DATA, and some ten CPU minutes a variant; the same command goes on where it was. It writes
DIR/variants.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.generation.appearance import measure
from services.generation.conditions import glow_of
from services.generation.roles import LevelRoles, find_objects
from services.training.generator import losses
from services.training.generator.crops import Field
from services.training.generator.presets import PRESETS
from services.training.generator.trainer import Trainer
from tests.bench.flow import FlowTrainer
from tests.bench.label_judge import LabelTrainer
from tests.bench.learning_curves import SHOWN, More, curve
from tests.bench.object_scale import SizedTrainer


def wavelet_loss(seen: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the logarithms of the power in each detail band of three Haar levels."""
    misses = []
    for _ in range(3):
        bands = [_haar(image.float()) for image in (seen, target)]
        powers = [band[:, 1:].square().mean((2, 3)).add(1e-5).log() for band in bands]
        misses.append(F.l1_loss(*powers))
        seen, target = (band[:, :1] for band in bands)
    return torch.stack(misses).mean()


def _haar(image: Tensor) -> Tensor:
    """(B, 1, H, W) to (B, 4, H/2, W/2): the mean, then the details along each axis and both."""
    a, b, c, d = F.pixel_unshuffle(image, 2).unbind(1)
    return torch.stack([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2


def enlarged(fields: Sequence[Field], roles: LevelRoles) -> list[Field]:
    """The same fields with objects 1.3 times as large, measured anew."""
    made = []
    for kept in fields:
        size = tuple(round(1.3 * length) for length in reversed(kept.image.shape))
        image = np.asarray(cv2.resize(kept.image, size, interpolation=cv2.INTER_CUBIC).clip(0, 1), np.float32)
        reference = np.asarray(cv2.resize(kept.reference, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        objects = find_objects(reference, roles)
        look = measure(image, reference, objects, roles)
        made.append(Field(kept.entry, image, reference, objects, look, glow_of(objects, look)))
    return made


@dataclass(frozen=True)
class Variant:
    """Hyper-parameters that differ from the default, and what takes the place of its loss of spectra and trainer."""

    differs: Mapping[str, Any] = field(default_factory=dict)
    spectrum: Callable[[Tensor, Tensor], Tensor] = losses.spectrum_loss
    kind: type[Trainer] = Trainer
    more: More = lambda _fields, _roles: ()


VARIANTS = {
    "default": Variant(),
    "no-spectrum": Variant({"spectrum_weight": 0.0}),
    "wavelets": Variant(spectrum=wavelet_loss),
    "no-texture": Variant({"texture_weight": 0.0}),
    "no-matching": Variant({"matching_weight": 0.0}),
    "no-adversary": Variant({"adversarial_weight": 0.0, "matching_weight": 0.0}),
    "cross-entropy": Variant({"cross_entropy": True}),
    "crops-192": Variant({"crop_px": 192, "batch": 4}),
    "no-average": Variant({"ema_decay": 0.0}),
    "scales": Variant(more=enlarged),
    "scale-input": Variant(kind=SizedTrainer),
    "label-judge": Variant({"matching_weight": 0.0, "discriminator_width": 16}, kind=LabelTrainer),
    "flow": Variant(asdict(PRESETS["l1"]), kind=FlowTrainer),
}


def main() -> None:
    """Train, judge and print each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="made by `biosynth dataset`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0, help="CPU minutes of each training; default 6")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="these alone; default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.only:
        variant = VARIANTS[name]
        config = replace(PRESETS["default"], **variant.differs)
        with mock.patch.object(losses, "spectrum_loss", variant.spectrum):
            [row] = curve(
                config, (1.0,), options.dataset, options.out / name, options.minutes, variant.kind, variant.more
            )
        rows.append({"variant": name, **row})
        told = ", ".join(
            f"{SHOWN[figure]} {told['drawn']:.3f}, {told['measured']:.3f}" for figure, told in row["figures"].items()
        )
        print(f"{name}, {row['step']} steps: {told}", flush=True)
    (options.out / "variants.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
