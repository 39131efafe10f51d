"""Exit codes."""

from __future__ import annotations

import grpc
import pytest
from biosynth.errors import BiosynthCallError, InvalidInputError

from services.cli.exits import FAULT, REFUSED, UNREACHABLE, exit_code
from services.common import errors
from services.common.errors import BiosynthError

DOMAIN = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BiosynthError)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidImage("x"), REFUSED),
        (errors.UnknownName("x"), REFUSED),
        (errors.ConfigError("x"), REFUSED),
        (errors.NotImplementedYet("x"), REFUSED),
        (errors.StoreUnavailable("x"), UNREACHABLE),
        (errors.StoreFull("x"), UNREACHABLE),
        (errors.ResultDamaged("x"), FAULT),
        (BiosynthError("x"), FAULT),
        (InvalidInputError("x"), REFUSED),
    ],
)
def test_an_error_has_the_exit_code_of_its_kind(error: Exception, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("kind", DOMAIN)
def test_a_refusal_here_and_over_the_wire_exit_alike(kind: type[BiosynthError]) -> None:
    call = BiosynthCallError(grpc.StatusCode[kind.status], "x")
    assert exit_code(call) == exit_code(kind("x"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, UNREACHABLE),
        (grpc.StatusCode.UNAUTHENTICATED, REFUSED),
        (grpc.StatusCode.INTERNAL, FAULT),
        (grpc.StatusCode.UNKNOWN, FAULT),
        (grpc.StatusCode.CANCELLED, FAULT),
    ],
)
def test_a_failed_call_exits_by_its_status(code: grpc.StatusCode, expected: int) -> None:
    assert exit_code(BiosynthCallError(code, "x")) == expected


def test_the_codes_tell_a_fault_a_refusal_wrong_usage_and_an_outage_apart() -> None:
    assert len({0, FAULT, REFUSED, UNREACHABLE, 2, 130}) == 6
