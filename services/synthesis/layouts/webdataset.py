"""The layout `webdataset`: tar files of samples, SPLIT-NUMBER.tar, each sample's files under one name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.packing import pack_tar
from services.synthesis.layouts.layout import TRAIN, Whole, Written
from services.synthesis.sample import Sample, mask_png_or_tiff, place


@dataclass(frozen=True)
class WebDataset:
    """NAME.png, NAME.mask.png (.tif where labels need 32 bit), NAME.reference.png, NAME.json; 64 samples a tar."""

    batch: int = 64
    held_out: str = "val"
    only: str = TRAIN

    def write(self, name: str, samples: Sequence[Sample]) -> Written:
        """See Layout."""
        file, members, places = f"{name}.tar", list[tuple[str, bytes]](), []
        for sample in samples:
            suffix, mask = mask_png_or_tiff(sample.labels)
            told = json.dumps(sample.line, sort_keys=True).encode()
            parts = {"image": ("png", sample.image), "mask": (f"mask.{suffix}", mask),
                     "reference": ("reference.png", sample.reference), "line": ("json", told)}  # fmt: skip
            members += [(f"{sample.name}.{ending}", data) for ending, data in parts.values()]
            del parts["line"]
            places.append({part: place(file, data, f"{sample.name}.{end}") for part, (end, data) in parts.items()})
        return Written({file: pack_tar(members)}, places)

    def finish(self, whole: Whole) -> Mapping[str, bytes]:  # noqa: ARG002 - nothing tells of all of them
        """See Layout."""
        return {}
