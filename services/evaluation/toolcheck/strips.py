"""Pictures of one typical field at every level, with outlines of what is true and of what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import encode_png
from services.common.imaging.intensity import brightness_range, stretch, to_eight_bit
from services.common.imaging.labels import Labels
from services.common.imaging.outlines import outlines
from services.evaluation.pictures import PictureSet
from services.evaluation.report.page import Strip
from services.evaluation.sets.objects import numbered
from services.evaluation.toolcheck.conditions import UNDEGRADED
from services.evaluation.toolcheck.figures import Table
from services.evaluation.toolcheck.measure import found, truth, under
from services.evaluation.toolcheck.tools import Tool
from services.evaluation.toolcheck.verdict import level_words

SIDE_PX = 160
# Okabe & Ito (2008): colours that colour-blind people tell apart.
TRUE, FOUND, BOTH = (230, 159, 0), (86, 180, 233), (0, 158, 115)


def typical_strips(images: PictureSet, part: str, tools: Sequence[Tool], table: Table, seed: int) -> list[Strip]:
    """A strip for each tool: its panels are the levels."""
    picture = images.pictures[images.names.index(typical_field(tools, table))]
    true = truth(picture, part)
    window = window_of(true)
    panels: dict[str, list[tuple[str, bytes]]] = {tool.name: [] for tool in tools}
    levels = list(dict.fromkeys(level for tool in tools for level in tool.levels))
    for level, image in under(levels, picture.image, true, picture.name, seed):
        for tool in tools:
            if level in tool.levels:
                labels = found(tool, picture.name, level, image)
                drawn = _drawn(to_eight_bit(image)[window], true[window], labels[window])
                panels[tool.name].append((level_words(level), encode_png(drawn)))
    return [Strip(name, some) for name, some in panels.items()]


def typical_field(tools: Sequence[Tool], table: Table) -> str:
    """The field whose undegraded mean AP, the mean over tools, is the (lower) median."""
    columns = [table.at(tool.name, UNDEGRADED) for tool in tools]
    means = np.mean([[one.features[0, 1] for one in column] for column in columns], 0)
    return columns[0][int(np.argsort(means, kind="stable")[(len(means) - 1) // 2])].name


def window_of(true: Labels) -> tuple[slice, slice]:
    """A window of at most SIDE_PX a side, around the object that is nearest to the middle of all."""
    rows, columns = np.nonzero(true > 0)
    owners = numbered(true)[rows, columns] - 1
    places = np.stack([np.bincount(owners, along) / np.bincount(owners) for along in (rows, columns)], 1)
    centre = places[np.argmin(((places - places.mean(0)) ** 2).sum(1))]
    starts = [
        int(np.clip(round(middle) - SIDE_PX // 2, 0, max(side - SIDE_PX, 0)))
        for middle, side in zip(centre, true.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + SIDE_PX), slice(starts[1], starts[1] + SIDE_PX)


def _drawn(image: NDArray[np.uint8], true: Labels, labels: Labels) -> NDArray[np.uint8]:
    """The image at its own range of brightness, as tools see it, with outlines; (H, W, 3) RGB."""
    canvas = np.repeat(stretch(image, brightness_range(image))[:, :, None], 3, 2)
    real, seen = outlines(true) > 0, outlines(labels) > 0
    canvas[real], canvas[seen], canvas[real & seen] = TRUE, FOUND, BOTH
    return canvas
