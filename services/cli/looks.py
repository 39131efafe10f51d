"""Looks as JSON files: what a run writes, and what `generate --like` reads."""

from __future__ import annotations

from pathlib import Path

from biosynth.v1.types_pb2 import Look
from google.protobuf import json_format

from services.cli.files import read_input
from services.common.errors import InvalidArgument


def write_look(look: Look) -> bytes:
    """The look as JSON, with the contract's own field names."""
    text = json_format.MessageToJson(look, preserving_proto_field_name=True, indent=None)
    return f"{text}\n".encode()


def read_look(path: Path) -> Look:
    """Read what `write_look` wrote. Raises InvalidArgument for another file."""
    try:
        return json_format.Parse(read_input(path), Look())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"expected a look, the look.json that `biosynth run` writes, at {path}; got another file"
        ) from error
