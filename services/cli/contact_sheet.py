"""Some images of an order, each beside the same with the outlines of its truth: one picture to look at first."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np

from services.cli.naming import rewording
from services.cli.overview import RGB, outline, rgb
from services.common.errors import InvalidImage
from services.common.imaging.images import decode_image, decode_label_map
from services.common.imaging.intensity import brightness_range, stretch
from services.synthesis.truth import Truth

Pixels = TypeVar("Pixels")
_MOST, _COLUMNS = 12, 3
_PANEL_PX, _TITLE_PX, _GAP_PX = 256, 22, 8


def contact_sheet(lines: Sequence[Mapping[str, Any]], part: str, read: Callable[[str], bytes]) -> RGB:
    """Up to twelve, evenly chosen. lines: of a manifest. part: `cells` or `nuclei`. read: gets a file of the order."""
    chosen = np.linspace(0, len(lines) - 1, min(_MOST, len(lines))).round().astype(int)
    cells = [_cell(lines[number], part, read) for number in chosen]
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % min(_COLUMNS, len(cells)))
    columns = min(_COLUMNS, len(cells))
    rows = [np.concatenate(cells[start : start + columns], 1) for start in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _cell(line: Mapping[str, Any], part: str, read: Callable[[str], bytes]) -> RGB:
    image = _decoded(line["image"], read, decode_image).astype(np.uint8, copy=False)
    image = stretch(image, brightness_range(image))  # else dim images would show nothing
    labels = _decoded(line["mask"], read, decode_label_map)
    side = 2 * _PANEL_PX + _GAP_PX
    cell = np.full((_TITLE_PX + _PANEL_PX + _GAP_PX, side + _GAP_PX, 3), 255, np.uint8)
    for left, panel in ((0, rgb(image)), (_PANEL_PX + _GAP_PX, outline(image, Truth(labels).segmentation(part)))):
        fitted = _fitted(panel)
        cell[_TITLE_PX : _TITLE_PX + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    words = [line["name"], line["split"], "as given" if line["augmentation"] is None else "augmented"]
    title = "  ".join([*filter(None, words), f"{line['objects']} objects"])
    cv2.putText(cell, title, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1, cv2.LINE_AA)
    return cell


def _fitted(panel: RGB) -> RGB:
    scale = _PANEL_PX / max(panel.shape[:2])
    size = (max(1, round(panel.shape[1] * scale)), max(1, round(panel.shape[0] * scale)))
    return np.asarray(
        cv2.resize(panel, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST), np.uint8
    )


def _decoded(place: Mapping[str, Any], read: Callable[[str], bytes], decode: Callable[[bytes], Pixels]) -> Pixels:
    with rewording(lambda text: f"{place['file']}: {text}; delete it, and the same command makes it again"):
        try:
            return decode(_bytes(place, read))
        except (tarfile.TarError, KeyError) as error:
            raise InvalidImage(f"expected a tar file that holds {place['member']}; it is damaged ({error})") from error


def _bytes(place: Mapping[str, Any], read: Callable[[str], bytes]) -> bytes:
    data = read(place["file"])
    if "member" not in place:
        return data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile(place["member"])
        return member.read() if member else b""
