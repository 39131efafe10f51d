"""The objects of an image in a few figures: means over its cells and over its nuclei."""

from __future__ import annotations

from biosynth.objects import ObjectTable

MEANS = (
    "area",
    "area_um2",
    "axis_major_length",
    "axis_major_length_um",
    "axis_minor_length",
    "axis_minor_length_um",
    "eccentricity",
    "solidity",
    "perimeter",
    "perimeter_um",
    "intensity_mean",
)


def object_means(table: ObjectTable) -> dict[str, dict[str, float]]:
    """By part that has objects and by column, the mean over all of them, those at the border included.

    >>> text = b"part,label,area_px,touches_border,confidence,area\\r\\ncells,1,3,0,,3\\r\\ncells,2,5,1,,5\\r\\n"
    >>> object_means(ObjectTable.of(text))
    {'cells': {'area': 4.0}}
    """
    parts = {part: table.of_part(part) for part in ("cells", "nuclei")}
    return {
        part: {name: round(float(objects.measures[name].mean()), 4) for name in MEANS if name in objects.measures}
        for part, objects in parts.items()
        if len(objects)
    }
