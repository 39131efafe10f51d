"""How far a segmentation network's output is from its targets."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.segmentation.learned.outputs import DISTANCE, DOWN, FOREGROUND

DICE_WEIGHT, DEPTH_WEIGHT, OFFSET_WEIGHT = 0.5, 4.0, 0.5
# What the ground counts for in the loss of depth: there it only has to be flat.
_GROUND = 0.3
_SMOOTH_PX = 0.25 * 16  # offsets nearer than 4 px are squared, so that far ones do not rule


def segmentation_losses(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Weighted losses by name, each a scalar; output and target: (B, 4, H, W)."""
    inside = target[:, FOREGROUND : FOREGROUND + 1]
    logit = output[:, FOREGROUND : FOREGROUND + 1]
    probability = logit.sigmoid()
    overlap = (2 * (probability * inside).sum() + 1) / (probability.sum() + inside.sum() + 1)
    depth = F.l1_loss(output[:, DISTANCE : DISTANCE + 1], target[:, DISTANCE : DISTANCE + 1], reduction="none")
    offsets = F.smooth_l1_loss(output[:, DOWN:], target[:, DOWN:], reduction="none", beta=_SMOOTH_PX / 16)
    return {
        "foreground": F.binary_cross_entropy_with_logits(logit, inside),
        "dice": DICE_WEIGHT * (1 - overlap),
        "depth": DEPTH_WEIGHT * (depth * (_GROUND + inside)).mean(),
        "offsets": OFFSET_WEIGHT * (offsets * inside).sum() / (inside.sum() + 1),
    }
