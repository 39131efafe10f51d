"""Damaged files, whatever their readers say of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import BiosynthError, InvalidImage


@contextmanager
def damage_named(kind: str) -> Iterator[None]:
    """Turn a reader's errors, which can be of any type for a damaged file, into InvalidImage. kind: `a TIFF`."""
    try:
        yield
    except BiosynthError:
        raise
    except Exception as error:
        raise InvalidImage(
            f"expected {kind} that is whole; got one that cannot be read ({error}); send the file again, or save it as "
            "OME-TIFF"
        ) from error
