"""Opens the store that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.errors import ConfigError
from services.common.serving.config import StoreConfig

if TYPE_CHECKING:
    from services.common.storage.store import Store


def open_store(config: StoreConfig) -> Store:
    """The store; it is not contacted yet. Imports only what the kind of store needs."""
    if config.kind == "folder" and config.path is not None:
        from services.common.storage.folder import FolderStore

        return FolderStore(config.path)
    if config.kind == "s3":
        from services.common.storage.s3 import S3Config, S3Store

        return S3Store(
            S3Config(
                endpoint=config.endpoint,
                public_endpoint=config.public_endpoint,
                bucket=config.bucket,
                region=config.region,
                access_key=config.access_key,
                secret_key=config.secret_key,
                ca_file=config.ca_file,
            )
        )
    raise ConfigError(f"BIOSYNTH_STORE: expected s3, or folder with a path; got {config.kind!r} with {config.path}")
