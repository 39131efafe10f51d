"""Writes docs/api.md, the reference of the contract: the comments of protos/biosynth/v1 and the names they stand at.

`make protos` runs it; by hand, from the repository's root: .venv/bin/python -m docs.api
"""

from __future__ import annotations

import importlib.resources
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
)
from grpc_tools import protoc

PROTOS = Path("protos")
WELL_KNOWN = importlib.resources.files("grpc_tools") / "_proto"  # google/protobuf/timestamp.proto
# What most callers read first comes first; messages that several services share come last.
ORDER = ("pipeline", "segmentation", "reference", "generation", "evaluation", "types")
PREFIX = ".biosynth.v1."
# Field numbers in descriptor.proto, by which source locations name what they belong to.
MESSAGES, ENUMS, SERVICES, FIELDS, ONEOFS, METHODS, VALUES = 4, 5, 6, 2, 8, 2, 2
SAFETY = {
    MethodOptions.NO_SIDE_EFFECTS: "changes nothing",
    MethodOptions.IDEMPOTENT: "safe to repeat",
    MethodOptions.IDEMPOTENCY_UNKNOWN: "",
}
HEAD = """\
# API reference

Made by `make protos` from the comments in [protos/biosynth/v1](../protos/biosynth/v1); do not edit. The package is
`biosynth.v1`. How to connect, with programs in several languages: [calling.md](calling.md). What a call may be refused
with, and which reason means what: [errors.md](errors.md). Numbers are those on the wire. What is empty or 0 counts as
not given, but for `optional` fields, which may be given as 0.
"""


class Comments:
    """What is written above each element of one file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._texts = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}

    def at(self, *path: int) -> str:
        """The comment as one line of Markdown that may stand in a table."""
        return " ".join(self._texts.get(path, "").split()).replace("|", "\\|")


def read(protos: Path) -> list[FileDescriptorProto]:
    """The contract's files with their comments, in the order of the page."""
    names = [f"biosynth/v1/{name}.proto" for name in ORDER]
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        options = [f"-I{protos}", f"-I{WELL_KNOWN}", "--include_source_info", f"--descriptor_set_out={out.name}"]
        if protoc.main(["protoc", *options, *names]) != 0:
            raise SystemExit(f"expected protos that compile in {protos}; protoc says above what is wrong")
        found = {file.name: file for file in FileDescriptorSet.FromString(Path(out.name).read_bytes()).file}
    return [found[name] for name in names]


def page(files: Sequence[FileDescriptorProto]) -> str:
    """All of docs/api.md."""
    return HEAD + "".join(f"\n{block}\n" for file in files for block in blocks(file))


def blocks(file: FileDescriptorProto) -> Iterator[str]:
    """A file's sections: services, then messages, then enumerations."""
    comments = Comments(file)
    if not file.service:
        yield "## Shared"
    for index, service in enumerate(file.service):
        yield f"## {service.name}\n\n{comments.at(SERVICES, index)}"
        rows = [method_row(one, comments.at(SERVICES, index, METHODS, at)) for at, one in enumerate(service.method)]
        yield table("method", "takes", "answers", "what", rows=rows)
    for index, message in enumerate(file.message_type):
        yield f"### {message.name}\n\n{comments.at(MESSAGES, index)}"
        if message.field:
            yield table("field", "no.", "type", "what", rows=field_rows(message, comments, index))
    for index, enum in enumerate(file.enum_type):
        yield f"### {enum.name}\n\n{comments.at(ENUMS, index)}"
        yield table("value", "no.", "what", rows=value_rows(enum, comments, index))


def method_row(method: MethodDescriptorProto, what: str) -> tuple[str, ...]:
    """A method, and whether it may be asked again without harm."""
    answers = ("stream of " if method.server_streaming else "") + link(method.output_type)
    safety = SAFETY[method.options.idempotency_level]
    return f"`{method.name}`", link(method.input_type), answers, f"{what} ({safety})" if safety else what


def field_rows(message: DescriptorProto, comments: Comments, index: int) -> Iterator[tuple[str, ...]]:
    """Fields as they stand in the file; of a oneof, its own line stands before its first field."""
    said: set[int] = set()
    for at, field in enumerate(message.field):
        shared = field.HasField("oneof_index") and not field.proto3_optional
        if shared and field.oneof_index not in said:
            said.add(field.oneof_index)
            name = message.oneof_decl[field.oneof_index].name
            yield f"one of `{name}`", "", "", comments.at(MESSAGES, index, ONEOFS, field.oneof_index)
        name = f"· `{field.name}`" if shared else f"`{field.name}`"
        yield name, str(field.number), kind(field, message), comments.at(MESSAGES, index, FIELDS, at)


def value_rows(enum: EnumDescriptorProto, comments: Comments, index: int) -> Iterator[tuple[str, ...]]:
    """Values of an enumeration."""
    for at, value in enumerate(enum.value):
        yield f"`{value.name}`", str(value.number), comments.at(ENUMS, index, VALUES, at)


def kind(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """A field's type: a scalar's name, or a link to a message or enumeration."""
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f"{message.name}.{nested.name}"):
            key, value = nested.field
            return f"map of {kind(key, nested)} to {kind(value, nested)}"
    name = link(field.type_name) if field.type_name else FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def link(type_name: str) -> str:
    """A link to a type of ours within the page; the name of any other."""
    name = type_name.removeprefix(PREFIX)
    return f"[{name}](#{name.lower()})" if name != type_name else f"`{type_name.lstrip('.')}`"


def table(*heads: str, rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    Path("docs/api.md").write_text(page(read(PROTOS)), encoding="utf-8")
