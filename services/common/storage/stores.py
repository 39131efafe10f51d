"""Opens the store that the configuration names."""

from __future__ import annotations

from services.common.storage.config import StoreConfig
from services.common.storage.store import Store


def open_store(config: StoreConfig) -> Store:
    """The store; it is not contacted yet. Imports only what the kind of store needs."""
    if config.path is not None:
        from services.common.storage.folder import FolderStore

        return FolderStore(config.path)
    from services.common.storage.s3 import S3Store

    return S3Store(config)
