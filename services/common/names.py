"""Names that callers choose by, checked against those there are."""

from __future__ import annotations

from collections.abc import Collection

from services.common.errors import InvalidArgument, UnknownName

_MOST_CHARACTERS = 200


def check_name(kind: str, asked: str, known: Collection[str], otherwise: str = "") -> None:
    """Raise InvalidArgument for what can be no name, and UnknownName, which lists those there are, for another one.

    otherwise: what else may be given, for the message.

    >>> check_name("model", "fluo", ["fluo-nuclei"])
    Traceback (most recent call last):
    services.common.errors.UnknownName: expected a model among fluo-nuclei; got 'fluo'
    """
    there = ", ".join(sorted(known)) or "none"
    if not asked:
        raise InvalidArgument(f"expected a {kind} among {there}{otherwise}; got an empty name", known=there)
    if len(asked) > _MOST_CHARACTERS:
        raise InvalidArgument(f"expected the name of a {kind}; got {len(asked)} characters", known=there)
    if asked not in known:
        raise UnknownName(f"expected a {kind} among {there}{otherwise}; got {asked!r}", asked=asked, known=there)
