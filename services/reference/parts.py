"""Whether a segmentation has what a schema needs."""

from __future__ import annotations

from typing import TypeVar

from services.common.errors import MissingPart
from services.common.imaging.labels import Segmentation
from services.reference.schema import Schema
from services.reference.schemas import fitting

_T = TypeVar("_T")


def check_parts(segmentation: Segmentation, schema: Schema) -> None:
    """Raise MissingPart where a part is lacking, naming it and the built-in schemas that would fit."""
    missing = [part for part in schema.parts if part not in segmentation.parts]
    if not missing:
        return
    fit = fitting(segmentation.parts)
    has, needs, lacks = (", ".join(names) for names in (segmentation.parts, schema.parts, missing))
    raise MissingPart(
        f"expected a segmentation with {needs} for schema {schema.name}; it lacks {lacks}. "
        f"Schemas that fit {has}: {', '.join(fit) or 'none of the built-in ones'}. Or say that the image shows no "
        f"{' and no '.join(missing)} (absent_parts, --absent)",
        schema=schema.name,
        missing=",".join(missing),
        fitting=",".join(fit),
    )


def present(plane: _T | None) -> _T:
    """The plane, which is there once `check_parts` has passed. Raises MissingPart where it is None all the same."""
    if plane is None:
        raise MissingPart("expected a segmentation that has been checked; got one that lacks a part the schema needs")
    return plane
