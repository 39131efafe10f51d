"""Every input that a lab may bring and what it gets; `python -m tests.support.input_table` prints docs/inputs.md."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.support.inputs import Row, rows

HEAD = """\
# What every input gets

Made by `python -m tests.support.input_table`, which makes each file, runs the command and prints the exit code (0 done,
3 refused) and what is said; `make test` does it again and compares. Of single images it calls the function by which all
commands read them ([images.md](images.md)); all else is the command itself. `...` stands for figures that may differ
from machine to machine, for what the reader of a damaged file says, and for the rest of long texts."""
_MOST = 350  # characters of an answer


def markdown(found: Iterable[Row]) -> str:
    """The page: a table for each part."""
    page = [HEAD]
    for part, some in groupby(found, lambda row: row.part):
        page += ["", f"## {part}", "", "| input | command | what it gets |", "|---|---|---|"]
        page += [line(row) for row in some]
    return "\n".join(page) + "\n"


def line(row: Row) -> str:
    """A row of the table."""
    got = row.got if len(row.got) <= _MOST else f"{row.got[:_MOST]}..."
    return "| {} | `{}` | {} |".format(row.name, row.command, got.replace("|", r"\|"))


def main() -> None:
    """Print the page."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(markdown(list(rows(Path(folder)))))


if __name__ == "__main__":
    main()
