"""Typed reading of settings from a mapping such as the environment; errors name the variable that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.common.errors import ConfigError

_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Settings:
    """Reads variables from `values`; a blank value counts as absent. Every method raises ConfigError."""

    values: Mapping[str, str] = field(repr=False)  # may hold secrets

    def text(self, name: str) -> str | None:
        """The value without surrounding blanks, or None."""
        return self.values.get(name, "").strip() or None

    def required(self, name: str, why: str) -> str:
        """The value; `why` completes "it is needed ..."."""
        value = self.text(name)
        if value is None:
            raise ConfigError(f"{name} is not set; it is needed {why}")
        return value

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of `options`, in lower case."""
        value = (self.text(name) or default).lower()
        if value not in options:
            raise ConfigError(f"{name}: expected one of {', '.join(options)}, got {value!r}")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.optional_integer(name, low, high)
        return default if value is None else value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`, or None where the variable is absent."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = int(text)
        except ValueError:
            raise ConfigError(f"{name}: expected a whole number from {low} to {high}, got {text!r}") from None
        if not low <= value <= high:
            raise ConfigError(f"{name}: expected a whole number from {low} to {high}, got {value}")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # also false for nan
            raise ConfigError(f"{name}: expected a number from {low:g} to {high:g}, got {text!r}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True for 1, true, yes, on; False for 0, false, no, off."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in _FLAGS:
            raise ConfigError(f"{name}: expected true or false, got {text!r}")
        return _FLAGS[text.lower()]

    def file(self, name: str) -> Path | None:
        """A path at which a readable file is, or None where the variable is absent."""
        text = self.text(name)
        if text is None:
            return None
        path = Path(text)
        try:
            with path.open("rb"):
                return path
        except OSError as error:
            raise ConfigError(f"{name}: expected a readable file, got {text!r} ({error.strerror})") from None

    def secret(self, name: str, why: str) -> str:
        """The value of `name`, or the content of the file that `name`_FILE names."""
        path = self.file(f"{name}_FILE")
        if path is None:
            return self.required(name, f"{why} (or {name}_FILE, the path of a file that holds it)")
        if self.text(name) is not None:
            raise ConfigError(f"expected one of {name} and {name}_FILE, got both")
        return secret_in(f"{name}_FILE", path)


def secret_in(name: str, path: Path) -> str:
    """What the file holds that the variable `name` names. Raises ConfigError where it is empty or cannot be read."""
    try:
        value = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise ConfigError(f"{name}: expected a readable file, got {str(path)!r} ({error.strerror})") from None
    if not value:
        raise ConfigError(f"{name}: expected a file that holds the secret, got an empty one: {path}")
    return value
