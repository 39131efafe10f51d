"""Models in memory: each is loaded once, at its first use or at start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from services.common.engines.engine import Engine
from services.generation.model import ModelShelf, StoredModel

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model with the engine that runs it."""

    stored: StoredModel
    engine: Engine


class LoadedModels:
    """Loads models from a shelf on demand; safe from several threads."""

    def __init__(self, shelf: ModelShelf, open_engine: Callable[[StoredModel], Engine]) -> None:
        self.shelf = shelf
        self._open, self._lock, self._loaded = open_engine, threading.Lock(), dict[tuple[str, str], LoadedModel]()

    def load_all(self) -> None:
        """Load every model's default version now, so that the first call finds it ready. Raises as `get`."""
        for name in self.shelf.names():
            self.get(self.shelf.get(name))

    def loaded(self) -> list[LoadedModel]:
        """Return the models that are in memory now."""
        return list(self._loaded.values())

    def get(self, stored: StoredModel) -> LoadedModel:
        """Return a model of the shelf, loaded. Raises ConfigError where weights are absent or not those described."""
        name, version = key = stored.description.name, stored.description.version
        if (known := self._loaded.get(key)) is not None:  # without the lock, which is held while another one loads
            return known
        with self._lock:
            if key not in self._loaded:
                loaded = LoadedModel(stored, self._open(stored))
                fields = {"model": name, "version": version, "engine": loaded.engine.name}
                _log.info("model loaded", extra={"fields": fields})
                self._loaded[key] = loaded
            return self._loaded[key]
