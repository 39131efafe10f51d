"""The place of an order's results: whose order it is, what is done, and what tells of all of it.

Each batch's files are written first and its record last, each whole or not there: a batch without its record is made
again. The manifest is put together from the records when all are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.cli.contact_sheet import contact_sheet
from services.cli.places import Place
from services.common.errors import InvalidArgument
from services.common.imaging.images import encode_png
from services.synthesis.layouts.layout import Layout, Whole
from services.synthesis.order import Batch, Order, differences
from services.synthesis.sample import Sample

ORDER, MANIFEST, SHEET, RECORDS = "order.json", "manifest.jsonl", "contact_sheet.png", "records"


@dataclass(frozen=True)
class OrderFolder:
    """Where an order's files go, and how they are laid out."""

    place: Place
    layout: Layout

    def claim(self, order: Order, alone: bool) -> None:
        """Take the place for this order. Raises InvalidArgument where it is another's, or holds other files.

        alone: nobody else works on the order, so that what killed writers left can be removed.
        """
        names = [name for name in self.place.names() if not name.rpartition("/")[2].startswith(".")]
        if names == [ORDER] and alone:
            self.place.write(ORDER, _json(order.record))  # whatever was ordered here, nothing of it was made
        elif ORDER in names:
            self._check(order)
        elif names:
            raise InvalidArgument(
                f"expected an empty folder, or one of this order, at {self.place}; it holds {names[0]}; choose another "
                "--out"
            )
        else:
            self.place.write(ORDER, _json(order.record))
        if alone:
            self.place.sweep()

    def _check(self, order: Order) -> None:
        try:
            theirs = json.loads(self.place.read(ORDER))
            unlike = differences(json.loads(_json(order.record)), theirs)
        except (ValueError, AttributeError) as error:
            raise InvalidArgument(
                f"expected an order at {self.place}; {ORDER} is damaged; choose another --out"
            ) from error
        if unlike:
            raise InvalidArgument(
                f"expected the order that {self.place} was begun with; this one has other {', '.join(unlike)}; type "
                f"the same again, or choose another --out ({ORDER} tells what was ordered)"
            )

    def missing(self, batches: Sequence[Batch]) -> list[Batch]:
        """Those that are not done: without a record, or without a file that it names."""
        names = set(self.place.names())
        return [batch for batch in batches if not self._is_done(batch, names)]

    def _is_done(self, batch: Batch, names: set[str]) -> bool:
        if _record_of(batch) not in names:
            return False
        try:
            return set(self._record(batch)["files"]) <= names
        except (ValueError, KeyError, TypeError):  # damaged: made again
            return False

    def _record(self, batch: Batch) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.place.read(_record_of(batch)))
        return record

    def write(self, batch: Batch, samples: Sequence[Sample]) -> None:
        """Write a batch's files, and then its record."""
        written = self.layout.write(batch.name, samples)
        for name, data in written.files.items():
            self.place.write(name, data)
        lines = [{**sample.line, **places} for sample, places in zip(samples, written.places, strict=True)]
        self.place.write(_record_of(batch), _json({"files": sorted(written.files), "lines": lines}))

    def finish(self, batches: Sequence[Batch], part: str) -> list[dict[str, Any]]:
        """Write what tells of all images, the manifest last; returns its lines."""
        lines = [line for batch in batches for line in self._record(batch)["lines"]]
        lines.sort(key=lambda line: str(line["name"]))
        for name, data in self.layout.finish(Whole(lines, part, self.place.read)).items():
            self.place.write(name, data)
        self.place.write(SHEET, encode_png(contact_sheet(lines, part, self.place.read)))
        self.place.write(MANIFEST, b"".join(_json(line) for line in lines))
        return lines


def _record_of(batch: Batch) -> str:
    return f"{RECORDS}/{batch.name}.json"


def _json(value: Mapping[str, Any]) -> bytes:
    """One line."""
    return f"{json.dumps(value, sort_keys=True)}\n".encode()
