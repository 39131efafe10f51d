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
        self._open, self._lock, self._loaded = open_engine, threading.Lock(), dict[str, LoadedModel]()

    def load_all(self) -> None:
        """Load every model now, so that the first call finds it ready. Raises as `get`."""
        for stored in self.shelf.list():
            self.get(stored.description.name)

    def loaded(self) -> list[LoadedModel]:
        """Return the models that are in memory now."""
        return list(self._loaded.values())

    def get(self, name: str) -> LoadedModel:
        """Return a loaded model. Raises UnknownName, or ConfigError where weights are absent or not those described."""
        stored = self.shelf.get(name)
        with self._lock:
            if name not in self._loaded:
                loaded = LoadedModel(stored, self._open(stored))
                fields = {"model": name, "version": stored.description.version, "engine": loaded.engine.name}
                _log.info("model loaded", extra={"fields": fields})
                self._loaded[name] = loaded
            return self._loaded[name]
