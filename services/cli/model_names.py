"""Models on the command line: a name, and perhaps a version."""

from __future__ import annotations

import argparse
from typing import NamedTuple


class ModelName(NamedTuple):
    """version "": the newest; name "": any."""

    name: str
    version: str

    def __str__(self) -> str:
        return "/".join(filter(None, self))


ANY = ModelName("", "")


def model_name(text: str) -> ModelName:
    """An argparse type for NAME[/VERSION].

    >>> model_name("fluo-nuclei/5"), str(model_name("fluo-nuclei"))
    (ModelName(name='fluo-nuclei', version='5'), 'fluo-nuclei')
    """
    name, _, version = text.partition("/")
    if not name:
        raise argparse.ArgumentTypeError(f"expected NAME or NAME/VERSION; got {text!r}")
    return ModelName(name, version)
