"""What every input of a lab gets is what is stated beside it, and what docs/inputs.md says."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.input_table import line, markdown
from tests.support.inputs import Row, rows
from tests.support.lab_images import MADE

PAGE = Path(__file__).parents[3] / "docs" / "inputs.md"
PACKAGES = {one.package for one in MADE.values()} - {""}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return list(rows(tmp_path_factory.mktemp("inputs")))


def test_every_input_gets_what_is_stated_beside_it(found: list[Row]) -> None:
    assert {row.name: row.got for row in found if not row.holds} == {}


def test_the_page_says_what_every_input_gets(found: list[Row]) -> None:
    page = PAGE.read_text()
    assert [line(row) for row in found if line(row) not in page] == [], "python -m tests.support.input_table"
    if all(find_spec(package) for package in PACKAGES):
        assert markdown(found) == page
