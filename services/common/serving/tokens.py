"""Files of bearer tokens, one a line; several, so that a new one is accepted before the former is removed."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.common.errors import ConfigError
from services.common.stamps import stamp_of

_TOKEN = re.compile(r"[!-~]+")  # what a header can carry
_LINE = "TOKEN, or TOKEN, a blank and its end as an ISO 8601 time with zone, such as 2027-01-31T00:00:00Z"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Token:
    """A token, the number of its line, and the time from which on it is refused (None: never)."""

    value: str = field(repr=False)
    line: int
    end: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.end is None or now < self.end


class TokenFile:
    """The tokens of the file that a setting names, read again when it changes. Only __init__ raises ConfigError."""

    def __init__(self, variable: str, path: Path) -> None:
        self._variable, self._path = variable, path
        self._stamp = stamp_of(path)
        self._tokens = self._read()

    def tokens(self) -> tuple[Token, ...]:
        """The tokens that the file holds now, expired ones included."""
        stamp = stamp_of(self._path)
        if stamp != self._stamp:
            self._stamp = stamp  # also of a bad file, which is warned of once, and read again when it changes
            try:
                self._tokens = self._read()
            except ConfigError as error:  # a failed rotation must not let anybody in, nor end the service
                _log.warning("keeping the former tokens: %s", error.message)
        return self._tokens

    def first(self) -> str:
        """The token that a client sends: the first line's."""
        return self.tokens()[0].value

    def last_end(self) -> datetime | None:
        """From when on no token of the file is good; None: never."""
        ends = [token.end for token in self.tokens()]
        known = [end for end in ends if end is not None]
        return max(known) if len(known) == len(ends) else None

    def _read(self) -> tuple[Token, ...]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigError(f"{self._variable}: cannot read {self._path}: {error.strerror}") from None
        tokens = parse_tokens(text, self._variable)
        if not tokens:
            raise ConfigError(f"{self._variable}: expected a file that holds a token, got none in {self._path}")
        return tokens


def parse_tokens(text: str, variable: str) -> tuple[Token, ...]:
    """Read the lines `TOKEN` and `TOKEN END`; blank lines and those that begin with # are skipped.

    Raises ConfigError, which names the variable and the line, and never what the line holds: it may be the token.
    """
    lines = enumerate(text.splitlines(), start=1)
    return tuple(
        _parse_line(words, number, variable)
        for number, line in lines
        if (words := line.split()) and not words[0].startswith("#")
    )


def _parse_line(words: list[str], number: int, variable: str) -> Token:
    if len(words) > 2 or not _TOKEN.fullmatch(words[0]):
        what = f"{len(words)} words" if len(words) > 2 else "characters that are not printable ASCII"
        raise ConfigError(f"{variable}: line {number}: expected {_LINE}; got {what}")
    return Token(words[0], number, _parse_end(words[1], number, variable) if len(words) == 2 else None)


def _parse_end(word: str, number: int, variable: str) -> datetime:
    try:
        end = datetime.fromisoformat(word)
    except ValueError:
        end = None
    if end is None or end.tzinfo is None:
        what = "another second word" if end is None else "a time without zone"
        raise ConfigError(f"{variable}: line {number}: expected {_LINE}; got {what}")
    return end
