"""Exit codes, so that scripts can tell a refused input from a service that is down."""

from __future__ import annotations

from services.common.errors import BiosynthError

REFUSED, UNREACHABLE, FAULT, INTERRUPTED, TERMINATED = 3, 4, 1, 130, 143
_CODES = {
    "INVALID_ARGUMENT": REFUSED,
    "NOT_FOUND": REFUSED,
    "FAILED_PRECONDITION": REFUSED,
    "PERMISSION_DENIED": REFUSED,
    "UNAUTHENTICATED": REFUSED,
    "OUT_OF_RANGE": REFUSED,
    "UNIMPLEMENTED": REFUSED,
    "UNAVAILABLE": UNREACHABLE,
    "RESOURCE_EXHAUSTED": UNREACHABLE,
    "DEADLINE_EXCEEDED": UNREACHABLE,
}
# What one request was too large or took too long for: services are there, and may well answer the next.
_OF_ONE_REQUEST = ("TIMEOUT", "DEVICE_FULL", "MESSAGE_TOO_LARGE", "OBJECT_TOO_LARGE")


def exit_code(error: Exception) -> int:
    """Return the exit code of an error: of the domain, of a call, or of the SDK's own checks."""
    if isinstance(error, BiosynthError):
        return _CODES.get(error.status, FAULT)
    code = getattr(error, "code", None)
    return REFUSED if code is None else _CODES.get(code.name, FAULT)


def is_outage(error: Exception) -> bool:
    """Whether the next request would fare no better: services or the store are out of reach, overloaded or full."""
    return exit_code(error) == UNREACHABLE and getattr(error, "reason", "") not in _OF_ONE_REQUEST
