"""Which group each series belongs to, as a table of the user's says it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from services.cli.files import read_input
from services.common.errors import InvalidArgument

KEY = "series"


def read_groups(table: Path, column: str, series: Sequence[str]) -> dict[str, str]:
    """The group of each series: `column` of the row of a CSV whose column `series` has its name.

    Raises InvalidArgument for a table without these columns, with a series twice, or that lacks one of `series`.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_input(table).decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidArgument(f"{table}: expected a CSV file in UTF-8; got one that is not ({error})") from error
    if absent := [name for name in (KEY, column) if not rows or name not in rows[0]]:
        names = ", ".join(filter(None, rows[0])) if rows else "no rows"
        raise InvalidArgument(f"{table}: expected a column {absent[0]!r}; got {names}")
    named = [row[KEY] or "" for row in rows]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise InvalidArgument(f"{table}: expected a row for each series; more than one for {', '.join(twice)}")
    groups = {name: (row[column] or "").strip() for name, row in zip(named, rows, strict=True)}
    if lacking := [name for name in series if not groups.get(name)]:
        raise InvalidArgument(
            f"{table}: expected a {column} for every series; none for {', '.join(lacking)}; its rows are for "
            f"{', '.join(named)}"
        )
    return {name: groups[name] for name in series}
