"""Files of tokens: what is read, and that nothing said of a bad one tells a token."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConfigError
from services.common.serving.tokens import Token, TokenFile, parse_tokens

SECRET = "s3cr3t-t0ken"  # noqa: S105
END = datetime(2027, 1, 31, tzinfo=UTC)


def test_tokens_are_read_in_order_with_their_ends_and_lines() -> None:
    text = "# newest first\r\nnew\r\n\n  former\t2027-01-31T00:00:00Z \n#old\nlast 2027-01-31T01:00:00+01:00"
    assert parse_tokens(text, "X") == (Token("new", 2), Token("former", 4, END), Token("last", 6, END))


def test_a_token_is_good_until_its_end_and_one_without_an_end_always() -> None:
    token = Token(SECRET, 1, END)
    assert token.is_good(END - timedelta(microseconds=1))
    assert not token.is_good(END)
    assert Token(SECRET, 1).is_good(END)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"{SECRET} 2027-01-31T00:00:00", "a time without zone"),
        (f"{SECRET} 2027-01-31", "a time without zone"),
        (f"{SECRET} tomorrow", "another second word"),
        (f"2027-01-31T00:00:00Z {SECRET}", "another second word"),
        (f"{SECRET} 2027-01-31 00:00:00Z", "3 words"),
        (f"\ufeff{SECRET}", "not printable ASCII"),
        (f"{SECRET}ü", "not printable ASCII"),
        (f"{SECRET}\0", "not printable ASCII"),
    ],
)
def test_a_malformed_line_is_named_by_variable_and_number_and_not_quoted(line: str, what: str) -> None:
    with pytest.raises(ConfigError, match=rf"^BIOSYNTH_TOKEN_FILE: line 3: expected TOKEN.*{what}") as raised:
        parse_tokens(f"# comment\ngood\n{line}\n", "BIOSYNTH_TOKEN_FILE")
    assert SECRET not in raised.value.message


@given(st.text())
def test_any_text_is_tokens_or_a_config_error(text: str) -> None:
    try:
        tokens = parse_tokens(text, "X")
    except ConfigError:
        return
    assert all(token.value.isascii() and token.value.isprintable() and " " not in token.value for token in tokens)


def test_a_token_does_not_show_in_its_repr() -> None:
    assert SECRET not in repr(Token(SECRET, 1))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"# none\n", b"\xff\xfes\0e\0"])
def test_a_file_without_a_sound_token_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^BIOSYNTH_TOKEN_FILE: "):
        TokenFile("BIOSYNTH_TOKEN_FILE", path)


def test_a_changed_file_is_read_again_and_a_bad_one_keeps_the_former_and_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path := tmp_path / "token").write_text("first")
    file = TokenFile("X", path)
    path.write_text("another")
    assert file.first() == "another"
    with caplog.at_level(logging.WARNING):
        path.write_text(f"{SECRET} tomorrow")
        assert [file.first() for _ in range(3)] == ["another"] * 3
        path.unlink()
        assert [file.first() for _ in range(3)] == ["another"] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert SECRET not in caplog.text
    path.write_text("third")
    assert file.first() == "third"


def test_a_client_sends_the_first_of_the_file(tmp_path: Path) -> None:
    (path := tmp_path / "token").write_text("# ours\nnew\nformer 2027-01-31T00:00:00Z\n")
    assert TokenFile("X", path).first() == "new"
