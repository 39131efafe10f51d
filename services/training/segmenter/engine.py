"""What inference is told of a segmentation network in training."""

from __future__ import annotations

from services.segmentation.learned.model import SegmenterDescription
from services.training.segmenter.network import NetworkConfig


def undescribed(config: NetworkConfig, part: str) -> SegmenterDescription:
    """What tiling needs to know of a network that is in no file; its images are not magnified."""
    return SegmenterDescription(
        "in training", 0, "", part, config.halo_px, config.stride_px, config.widths[-1], 0, "", 0.0, 0.0, {}
    )
