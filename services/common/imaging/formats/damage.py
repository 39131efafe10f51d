"""What a parser raises for a damaged file, as an error that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.errors import BiosynthError


@contextmanager
def damage_named(named: Callable[[Exception], BiosynthError]) -> Iterator[None]:
    """Turn the errors of a parser, which can be of any type for a damaged file, into `named` of them."""
    try:
        yield
    except BiosynthError:
        raise
    except Exception as error:
        raise named(error) from error
