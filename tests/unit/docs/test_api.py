"""docs/api.md is what the protos say."""

from __future__ import annotations

from pathlib import Path

from docs.api import page, read

ROOT = Path(__file__).parents[3]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_reference_is_up_to_date() -> None:
    assert page(read(ROOT / "protos")) == API, "make protos writes docs/api.md anew"


def test_the_reference_has_every_name_of_the_contract_with_a_comment() -> None:
    rows = {line.split(" | ")[0].strip("|· `"): line for line in API.splitlines() if line.startswith("| ")}
    for file in read(ROOT / "protos"):
        heads = [one.name for one in file.service] + [one.name for one in file.message_type]
        assert [name for name in heads + [one.name for one in file.enum_type] if f"# {name}\n\n" not in API] == []
        names = [method.name for service in file.service for method in service.method]
        names += [field.name for message in file.message_type for field in message.field]
        names += [value.name for enum in file.enum_type for value in enum.value]
        assert [name for name in names if name not in rows or rows[name].endswith("|  |")] == []
