"""Files of the command line: inputs within the limits, outputs that overwrite no input."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import ConfigError, InvalidArgument, InvalidImage
from services.common.imaging.images import ImageLimits

_PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")


def read_input(path: Path) -> bytes:
    """The bytes of an input. Raises InvalidImage for a file that cannot be read or is over the limit."""
    try:
        size, limit = path.stat().st_size, ImageLimits().max_bytes
        if size > limit:
            raise InvalidImage(f"expected {path} of at most {limit} bytes; got {size}; crop the image, or bin it")
        return path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"expected a readable file at {path}; {error.strerror}") from error


def sha256_of(path: Path) -> str:
    """Of a file, read in pieces; of an image that is a folder, of its files with their names."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        told = "".join(f"{one.relative_to(path).as_posix()} {sha256_of(one)}\n" for one in files)
        return hashlib.sha256(told.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(path: Path) -> Path:
    """Make an output folder. Raises ConfigError where that cannot be done, or where the name is that of a picture."""
    if path.suffix.lower() in _PICTURES and not path.exists():
        raise ConfigError(f"expected a folder to write several files to; got {path}, the name of a picture")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"expected a folder to write to at {path}; {error.strerror}") from error
    return path


def refuse_overwriting(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Raise InvalidArgument where an output would overwrite an input."""
    sources = {path.resolve() for path in inputs}
    if struck := [path for path in outputs if path.resolve() in sources]:
        raise InvalidArgument(
            f"expected results beside their inputs; {struck[0]} would be overwritten; choose another --out"
        )
