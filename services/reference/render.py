"""Draws the reference of a segmentation under a schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.errors import InvalidArgument, at
from services.common.imaging.images import autocontrast
from services.common.imaging.labels import Segmentation
from services.common.ranges import check_thickness, check_tier_limits
from services.reference.masks import Masks
from services.reference.parts import check_parts, present
from services.reference.schema import Schema
from services.reference.sizes import check_labels, compact, resized
from services.reference.tiers import assign_tiers, cell_means, measure_limits


@dataclass(frozen=True)
class Rendered:
    """A reference and what was learned in drawing it.

    reference: (H, W) uint8, level indices. grey: (H, W) uint8, for people and for pix2pix. tier_limits: the limits
    between grey tiers that were used, to be given with the other images of a set; () for a schema without tiers and for
    an image without cells. level_pixels: number of pixels of each level, in the order of the schema's levels.
    """

    reference: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    tier_limits: tuple[float, ...]
    level_pixels: tuple[int, ...]


def render(
    segmentation: Segmentation,
    schema: Schema,
    image: NDArray[np.uint8] | NDArray[np.uint16] | None = None,
    boundary_thickness_px: int = 0,
    size: tuple[int, int] | None = None,
    tier_limits: Sequence[float] | None = None,
) -> Rendered:
    """Draw the segmentation: the schema's painting rules in order, "later over earlier" (docs/method.md, Levels).

    image: (H, W) uint8 or uint16, of the segmentation's size; needed where the schema has grey tiers, for each cell's
    brightness. boundary_thickness_px: 1 to 64; 0: the schema's own (boundaries.py defines it). size: (H, W) of the
    reference; labels are resized (nearest) before boundaries are drawn, which therefore keep their thickness.
    tier_limits: one fewer than tiers, 0 to 255, none below the one before; None or empty: the schema's, else measured.

    Raises MissingPart where the segmentation lacks a part that the schema needs, InvalidSegmentation for labels below
    0, InvalidArgument for an image that is missing or of another size, and for values out of range.

    >>> from services.reference.schemas import named
    >>> nuclei = np.array([[0, 5, 5, 5]] * 3, np.int32)
    >>> render(Segmentation(nuclei=nuclei), named("nuclei3")).reference
    array([[0, 2, 2, 2],
           [0, 2, 1, 2],
           [0, 2, 2, 2]], dtype=uint8)
    """
    check_parts(segmentation, schema)
    with at("segmentation"):
        check_labels(segmentation)
    check_thickness(boundary_thickness_px)
    thickness_px = boundary_thickness_px or schema.boundary_thickness_px
    limits = _given_limits(tier_limits, schema)
    tier_of_label = None
    if schema.tiers:
        segmentation = compact(segmentation)
        stop_if_abandoned()
        means = _means(segmentation, image, schema)
        limits = limits or measure_limits(means, schema.tiers, schema.tier_range)
        tier_of_label = assign_tiers(means, limits)
    masks = Masks(resized(segmentation, size), thickness_px, schema.dilate_cell_boundary, tier_of_label)
    reference = _paint(masks, schema, size or segmentation.shape)
    stop_if_abandoned()
    # Comparing bytes level by level is faster than np.bincount, which widens every pixel to 8 bytes.
    level_pixels = tuple(int(np.count_nonzero(reference == level.index)) for level in schema.levels)
    return Rendered(reference, _grey(reference, schema), limits, level_pixels)


def _paint(masks: Masks, schema: Schema, shape: tuple[int, int]) -> NDArray[np.uint8]:
    reference = np.zeros(shape, np.uint8)
    for rule in schema.painting:
        stop_if_abandoned()
        np.copyto(reference, np.uint8(rule.level), where=masks[rule.source])
    return reference


def _grey(reference: NDArray[np.uint8], schema: Schema) -> NDArray[np.uint8]:
    greys = np.zeros(256, np.uint8)
    greys[: len(schema.levels)] = [level.grey for level in schema.levels]
    return cv2.LUT(reference, greys).astype(np.uint8, copy=False)


def _given_limits(asked: Sequence[float] | None, schema: Schema) -> tuple[float, ...]:
    if asked is None or len(asked) == 0:
        return schema.tier_limits
    if len(asked) != schema.tiers - 1:
        wants = f"{schema.tiers - 1} limits between {schema.tiers} grey tiers" if schema.tiers else "no tier limits"
        raise InvalidArgument(f"expected {wants} for schema {schema.name}; got {len(asked)}", field="tier_limits")
    check_tier_limits(asked)
    return tuple(float(limit) for limit in asked)


def _means(
    segmentation: Segmentation, image: NDArray[np.uint8] | NDArray[np.uint16] | None, schema: Schema
) -> NDArray[np.float64]:
    if image is None:
        raise InvalidArgument(
            f"expected the image beside the segmentation: schema {schema.name} sorts cells into {schema.tiers} "
            "grey tiers by their brightness; got none",
            field="image",
        )
    if image.shape != segmentation.shape:
        raise InvalidArgument(
            f"expected an image of the segmentation's size {segmentation.shape} (height, width); got {image.shape}",
            field="image",
        )
    return cell_means(present(segmentation.cells), present(segmentation.nuclei), autocontrast(image))
