"""TIFF: what the planes of a file are called, by OME-XML or the JSON of tifffile."""

from __future__ import annotations

import json
from xml.etree import ElementTree

_MAX_DESCRIPTION = 1 << 20


def channel_names(description: str, planes: int, image: int = 0) -> tuple[str, ...]:
    """One name a plane; empty names where the file gives none, or gives another number of them than it has planes.

    image: which one of those that OME-XML describes, from 0.

    >>> channel_names('{"Channel": {"Name": ["DAPI", "GFP"]}}', planes=2)
    ('DAPI', 'GFP')
    """
    found: tuple[str, ...] = ()
    if description.lstrip()[:1] == "<" and len(description) <= _MAX_DESCRIPTION:
        found = _ome_names(description, image)
    elif description.startswith("{"):
        found = _shaped_names(description)
    return found if len(found) == planes else ("",) * planes


def _ome_names(description: str, image: int) -> tuple[str, ...]:
    """Names of an image's channels, in the order of the planes where there is one plane a channel."""
    try:
        # Document types and entities, what XML attacks come through, were refused before (tiff_directory.py).
        root = ElementTree.fromstring(description.encode())  # noqa: S314
    except ElementTree.ParseError:
        return ()
    return tuple(
        channel.get("Name", "") for channel in root.findall(f"{{*}}Image[{image + 1}]/{{*}}Pixels/{{*}}Channel")
    )


def _shaped_names(description: str) -> tuple[str, ...]:
    """Channel names in the JSON that tifffile writes."""
    try:
        names = json.loads(description).get("Channel", {}).get("Name", ())
    except (ValueError, AttributeError, RecursionError):
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
