"""Hyper-parameters from a file, where they are to differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from services.common.errors import ConfigError

T = TypeVar("T")


def read_hyper_parameters(path: Path, config: T) -> T:
    """`config` with what a YAML file says, named as in a card: `{steps: 9000, network: {widths: [16, 32, 64, 192]}}`.

    Raises ConfigError for a file that cannot be read, a name that there is not, or a value of another kind, and as
    `config` does for numbers out of bounds.
    """
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"expected hyper-parameters as YAML at {path}; {error}") from error
    return _changed(config, body, str(path))


def _changed(config: T, body: Any, where: str) -> T:
    """A dataclass with some of its fields replaced."""
    known = {field.name: getattr(config, field.name) for field in fields(config)}  # type: ignore[arg-type]
    if not isinstance(body, Mapping) or (unknown := [str(name) for name in body if name not in known]):
        wrong = f"{unknown[0]!r:.40}" if isinstance(body, Mapping) else f"{type(body).__name__}"
        raise ConfigError(f"expected hyper-parameters among {', '.join(known)} in {where}; got {wrong}")
    return replace(config, **{name: _value(known[name], value, f"{where}: {name}") for name, value in body.items()})  # type: ignore[type-var]


def _value(default: Any, value: Any, where: str) -> Any:
    """A value of the same kind as the default."""
    if is_dataclass(default):
        return _changed(default, value, where)
    if isinstance(default, tuple) and isinstance(value, list) and value:
        return tuple(_value(default[0], one, where) for one in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise ConfigError(f"expected {type(default).__name__} for {where}; got {value!r:.40}")
    return value
