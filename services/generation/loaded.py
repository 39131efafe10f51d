"""Models in memory: each is loaded once, at its first use, at start, or when a caller says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from services.common.engines.engine import Engine
from services.generation.model import ModelShelf, StoredModel
from services.generation.repository import ModelSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model with the engine that runs it."""

    stored: StoredModel
    engine: Engine


class LoadedModels:
    """Loads models from a shelf on demand; safe from several threads.

    source: where models that are not on the shelf may be got from.
    """

    def __init__(
        self, shelf: ModelShelf, open_engine: Callable[[StoredModel], Engine], source: ModelSource | None = None
    ) -> None:
        self.shelf, self._source = shelf, source
        self._open, self._lock, self._loaded = open_engine, threading.Lock(), dict[tuple[str, str], LoadedModel]()

    def load_all(self) -> None:
        """Load every model's default version now, so that the first call finds it ready. Raises as `get`."""
        for name in self.shelf.names():
            self.get(self.shelf.get(name))

    def loaded(self) -> list[LoadedModel]:
        """Return the models that are in memory now."""
        return list(self._loaded.values())

    def bring(self, name: str, version: str = "") -> LoadedModel:
        """Return a model, loaded; one that is not on the shelf yet is fetched, and put there. version "": the newest.

        Not to be called from several threads at once. Raises UnknownName where it is nowhere, ConfigError for a broken
        one, which then is not put on the shelf, and what stores raise.
        """
        if self._source is not None:
            version = (found := self._source.find(name, version)).version
            if not self.shelf.has(name, version):
                pulled = self._source.pull(found)
                self.get(pulled)
                self.shelf.add(pulled)
        return self.get(self.shelf.get(name, version))

    def drop(self, stored: StoredModel) -> None:
        """Forget a model's engine, which goes once those who work with it are done; one that is not loaded stays so."""
        with self._lock:
            if self._loaded.pop((stored.description.name, stored.description.version), None) is not None:
                _log.info("model dropped", extra={"fields": _fields(stored)})

    def get(self, stored: StoredModel) -> LoadedModel:
        """Return a model of the shelf, loaded. Raises ConfigError where weights are absent or not those described."""
        key = stored.description.name, stored.description.version
        if (known := self._loaded.get(key)) is not None:  # without the lock, which is held while another one loads
            return known
        with self._lock:
            if key not in self._loaded:
                loaded = LoadedModel(stored, self._open(stored))
                _log.info("model loaded", extra={"fields": {**_fields(stored), "engine": loaded.engine.name}})
                self._loaded[key] = loaded
            return self._loaded[key]


def _fields(stored: StoredModel) -> dict[str, str]:
    """What the log says of a model."""
    return {"model": stored.description.name, "version": stored.description.version}
