"""Object keys: what may be one, and which ones a caller may name."""

from __future__ import annotations

from biosynth.contract import READABLE

from services.common.errors import InvalidKey, KeyNotAllowed

MAX_KEY_BYTES = 512
# The longest name of a file or folder in common file systems.
MAX_NAME_BYTES = 255


def check_key(key: str) -> None:
    """Raise InvalidKey unless a folder and every S3 server can hold `key`, under the same name and inside their root.

    >>> check_key("inputs/image.png")
    >>> check_key("inputs/../image.png")
    Traceback (most recent call last):
    services.common.errors.InvalidKey: expected names joined by single slashes, ... with a name of dots
    """
    if not key:
        raise InvalidKey("expected an object key such as inputs/image.png, got an empty one")
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKey(f"expected a key of valid Unicode, got {key!a}") from error
    if size > MAX_KEY_BYTES:
        raise InvalidKey(f"expected a key of at most {MAX_KEY_BYTES} bytes, got {size}")
    if problem := _problem(key):
        raise InvalidKey(f"expected names joined by single slashes, such as inputs/image.png, got {key!a} {problem}")


def check_readable(key: str, prefixes: tuple[str, ...] = READABLE) -> None:
    """Raise InvalidKey as check_key does, and KeyNotAllowed for a key outside the prefixes that callers may name."""
    check_key(key)
    if not key.startswith(prefixes):
        allowed = ", ".join(prefixes)
        raise KeyNotAllowed(f"expected a key under {allowed}, got {key!a}", asked=key, allowed=allowed)


def _problem(key: str) -> str:
    """What is wrong with a key; empty where nothing is."""
    names = key.split("/")
    if any(ord(character) < 32 or ord(character) == 127 for character in key):
        return "with a control character"
    if "\\" in key:
        return "with a backslash"
    if key.startswith("/"):
        return "with a slash in front"
    if "" in names:
        return "with an empty name"
    if "." in names or ".." in names:
        return "with a name of dots"
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        return f"with a name of more than {MAX_NAME_BYTES} bytes"
    return ""
