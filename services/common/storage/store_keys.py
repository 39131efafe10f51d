"""The keys of the store's user, read again when their files change: a change of keys needs no restart."""

from __future__ import annotations

import logging

from minio.credentials import Credentials

from services.common.errors import ConfigError
from services.common.settings import secret_in
from services.common.stamps import Stamp, stamp_of
from services.common.storage.config import StoreConfig

_log = logging.getLogger(__name__)


class StoreKeys:
    """What the minio SDK calls a provider of credentials. Safe between threads."""

    def __init__(self, config: StoreConfig) -> None:
        self._files = {
            "BIOSYNTH_STORE_ACCESS_KEY_FILE": config.access_key_file,
            "BIOSYNTH_STORE_SECRET_KEY_FILE": config.secret_key_file,
        }
        self._keys = (config.access_key, config.secret_key)
        self._stamps = self._read_stamps()

    def retrieve(self) -> Credentials:
        """The keys that hold now; of a file that cannot be used, what it held before."""
        stamps = self._read_stamps()
        if stamps != self._stamps:
            self._stamps = stamps  # also of a bad file, which is warned of once, and read again when it changes
            try:
                self._keys = self._read()
            except ConfigError as error:
                _log.warning("keeping the former keys of the store: %s", error.message)
            else:
                _log.info("the store's keys changed and were read again")
        return Credentials(*self._keys)

    def _read(self) -> tuple[str, str]:
        access, secret = (
            secret_in(name, path) if path else known
            for (name, path), known in zip(self._files.items(), self._keys, strict=True)
        )
        return access, secret

    def _read_stamps(self) -> tuple[Stamp, ...]:
        return tuple(stamp_of(path) if path else None for path in self._files.values())
