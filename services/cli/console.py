"""What a command shows: progress and messages for people on stderr, JSON for programs on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from tqdm import tqdm


class Console:
    """quiet: only errors are shown. as_json: the command's record goes to stdout."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._as_json, self._quiet = as_json, quiet

    def say(self, text: str) -> None:
        """Tell people something."""
        if not self._quiet:
            tqdm.write(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        """Tell people something even when quiet."""
        tqdm.write(text, file=sys.stderr)

    def progress(self, total: int | None, unit: str, initial: int = 0) -> Any:
        """Open a progress bar, a context manager; it shows itself on terminals only. initial: what was done before."""
        disable = True if self._quiet else None
        return tqdm(total=total, unit=unit, initial=initial, file=sys.stderr, disable=disable, leave=False)

    def answer(self, record: dict[str, Any], text: str = "") -> None:
        """Give the command's answer: the record as JSON, or the text."""
        if self._as_json:
            print(json.dumps(record, indent=1, sort_keys=True))
        elif text:
            print(text)
