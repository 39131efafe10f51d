"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from services.common import errors
from services.reference.schemas import builtin_schemas, parse_schema
from services.reference.sources import SOURCES
from services.training.datasets.quality.limits import Limits
from services.training.datasets.recipe import EXAMPLE

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def test_the_schema_of_the_documentation_is_one() -> None:
    text = (DOCS / "schemas.md").read_text()
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert parse_schema(example).parts == ("cells",)
    assert all(f"`{name}`" in text for name in (*builtin_schemas(), *SOURCES))


def test_every_reason_in_the_documentation_is_one_of_the_code_with_its_status() -> None:
    known = {
        (one.status, one.reason)
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.BiosynthError)
    }
    rows = re.findall(r"\| ([A-Z_]+) \| ([A-Z0-9_]+) \|$", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert len(rows) > 15
    assert [row for row in rows if row not in known] == []


def test_the_files_that_the_documentation_shows_are_those_that_are_there() -> None:
    page = (DOCS / "calling.md").read_text()
    shown = re.findall(r"^\[(\S+)\]\((\S+)\):\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == len(re.findall(r"\):\n\n```", page)) == 6
    for name, link, text in shown:
        assert (DOCS / link).resolve() == DOCS.parent / name
        assert (DOCS / link).read_text() == text, name


def test_the_recipe_of_the_documentation_is_the_one_that_help_prints() -> None:
    assert f"```yaml\n{EXAMPLE}```" in (DOCS / "models.md").read_text()


def test_the_limits_of_the_documentation_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \|$", (DOCS / "models.md").read_text(), re.MULTILINE))
    assert {name: float(rows[name]) for name in asdict(Limits())} == asdict(Limits())


def test_lock_files_name_no_address() -> None:
    locks = [
        *ROOT.glob("services/requirements/*.txt"),
        ROOT / "requirements-uv.txt",
        *ROOT.glob("docs/examples/*/*lock*"),
    ]
    assert len(locks) > 8
    assert [lock.name for lock in locks if "://" in lock.read_text()] == []
