"""What a segmentation network says of every pixel, and objects made of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Labels, Mask
from services.segmentation.regions import tidy

# Planes of a network's output.
FOREGROUND, DISTANCE, DOWN, RIGHT = range(4)
PLANES = 4
# Offsets are told in units of so many pixels, so that their values are about 1.
OFFSET_UNIT_PX = 16.0

FOREGROUND_LEAST = 0.5  # probability
# How far votes of one object scatter, in mean distances to the centre: tuned on training fields of nuclei and of cells.
VOTE_SCATTER = 0.27
VOTE_SIGMA_PX = (1.0, 6.0)
LEAST_VOTES = 6.0
DISTANCE_SIGMA_PX = 1.0
# What is smaller, in pixels or as a share of the median area, is debris: the share was tuned on training fields too.
SMALLEST_PX, SMALLEST_SHARE = 12, 0.08
# Votes are counted in bands of so many rows, since lists of pixels take ten times the memory of a plane.
BAND_ROWS = 256


def objects_of(output: NDArray[np.float32]) -> Labels:
    """Instance labels. output: (4, H, W); returns (H, W) int32, tidy.

    Planes: the foreground's logit; depth within the object, 1 at its deepest; offset to the object's centre, down and
    right, in units of 16 px. Every foreground pixel votes for the centre it points to; where votes gather, an object
    is; depth then divides the foreground between centres. Votes follow Hough voting as in Neven et al. (CVPR, 2019),
    depth the watershed of a learned distance of Naylor et al. (IEEE Trans. Med. Imaging 38, 448, 2019).
    """
    mask = _foreground(output)
    sigma = float(np.clip(VOTE_SCATTER * mean_offset(output), *VOTE_SIGMA_PX))
    seeds, _ = ndimage.label(_centres(output, mask, sigma) & mask, np.ones((3, 3)))
    stop_if_abandoned()
    depth = cv2.GaussianBlur(output[DISTANCE], (0, 0), DISTANCE_SIGMA_PX)
    parts = watershed(-depth, seeds, mask=mask)
    areas = np.bincount(parts.ravel())[1:]
    return tidy(parts, max(SMALLEST_PX, SMALLEST_SHARE * float(np.median(areas))) if areas.size else 0)


def mean_offset(output: NDArray[np.float32]) -> float:
    """Mean distance of foreground pixels to their objects' centres, in pixels; 0 where there is no foreground."""
    mask = _foreground(output)
    lengths = np.hypot(output[DOWN][mask], output[RIGHT][mask])
    return OFFSET_UNIT_PX * float(lengths.mean(dtype=np.float64)) if lengths.size else 0.0


def confidence_of(labels: Labels, output: NDArray[np.float32]) -> NDArray[np.float32]:
    """How sure the network is of each object, 0 to 1; (n,), that of label 1 first.

    labels: (H, W) from 1 without gaps, made of output (4, H, W). Mean, over an object's pixels, of the probability that
    they are foreground, where they point to a centre within the same object; pixels that point elsewhere count as 0.
    """
    sums = np.zeros(int(labels.max(initial=0)) + 1)
    for top in range(0, len(labels), BAND_ROWS):
        stop_if_abandoned()
        rows, columns = np.nonzero(labels[top : top + BAND_ROWS])
        rows += top
        owners = labels[rows, columns]
        down, right = np.rint(OFFSET_UNIT_PX * output[DOWN:, rows, columns]).astype(np.intp)
        ends = (np.clip(rows + down, 0, len(labels) - 1), np.clip(columns + right, 0, labels.shape[1] - 1))
        probability = 1 / (1 + np.exp(-output[FOREGROUND, rows, columns].astype(np.float64)))
        sums += np.bincount(owners, weights=probability * (labels[ends] == owners), minlength=len(sums))
    return np.asarray(sums[1:] / np.bincount(labels.ravel())[1:], np.float32)


def _foreground(output: NDArray[np.float32]) -> Mask:
    return np.asarray(output[FOREGROUND] > _logit(FOREGROUND_LEAST), bool)


def _centres(output: NDArray[np.float32], mask: Mask, sigma: float) -> Mask:
    """Peaks of the votes, smoothed."""
    votes = np.zeros(mask.shape, np.float32)
    for top in range(0, len(mask), BAND_ROWS):
        stop_if_abandoned()
        _vote(votes, output[DOWN:, top : top + BAND_ROWS], mask[top : top + BAND_ROWS], top)
    density = cv2.GaussianBlur(votes, (0, 0), sigma)
    reach = 2 * round(3 * sigma) + 1
    # So many votes at one place have this density there after smoothing.
    least = LEAST_VOTES / (2 * np.pi * sigma**2)
    return np.asarray((density == cv2.dilate(density, np.ones((reach, reach), np.uint8))) & (density > least), bool)


def _vote(votes: NDArray[np.float32], offsets: NDArray[np.float32], mask: Mask, top: int) -> None:
    """Count the votes of a band of rows from `top` on. votes: (H, W); offsets: (2, h, W); mask: (h, W)."""
    height, width = votes.shape
    rows, columns = np.nonzero(mask)
    down, right = np.rint(OFFSET_UNIT_PX * offsets[:, mask]).astype(np.intp)
    places = np.clip(top + rows + down, 0, height - 1) * width + np.clip(columns + right, 0, width - 1)
    if places.size:
        first = int(places.min())
        counts = np.bincount(places - first)
        votes.ravel()[first : first + len(counts)] += counts.astype(np.float32)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
