"""Messages of the contract made of arguments, with errors that name the argument."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from biosynth.errors import InvalidInputError

M = TypeVar("M", bound=Message)
_KINDS = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number of 32 bit",
    FieldDescriptor.CPPTYPE_INT64: "a whole number of 64 bit",
    FieldDescriptor.CPPTYPE_UINT32: "a whole number from 0 to 2^32 - 1",
    FieldDescriptor.CPPTYPE_UINT64: "a whole number from 0 to 2^64 - 1",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_BOOL: "True or False",
    FieldDescriptor.CPPTYPE_STRING: "text",
}


def filled(kind: type[M], **fields: Any) -> M:
    """A message of these fields, None where one is absent. Raises InvalidInputError, naming the first that is unfit.

    >>> from biosynth.v1.generation_pb2 import GenerateRequest
    >>> filled(GenerateRequest, model="a", seed=-1)
    Traceback (most recent call last):
    biosynth.errors.InvalidInputError: expected seed as a whole number from 0 to 2^64 - 1; got -1
    """
    try:
        return kind(**fields)
    except (TypeError, ValueError):
        for name, value in fields.items():
            _check(kind, name, value)
        raise


def _check(kind: type[Message], name: str, value: Any) -> None:
    try:
        kind(**{name: value})
    except (TypeError, ValueError) as error:
        wanted = _KINDS.get(kind.DESCRIPTOR.fields_by_name[name].cpp_type)
        told = f"expected {name} as {wanted}" if wanted else f"expected another {name} ({error})"
        raise InvalidInputError(f"{told}; got {value!r:.80}") from error
