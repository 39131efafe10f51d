"""The store that the configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import ConfigError
from services.common.storage.config import StoreConfig
from services.common.storage.folder import FolderStore
from services.common.storage.s3 import S3Store
from services.common.storage.stores import open_store


def test_each_kind_opens_its_store(tmp_path: Path) -> None:
    assert isinstance(open_store(StoreConfig(path=tmp_path)), FolderStore)
    endpoint = "http://127.0.0.1:9"
    s3 = StoreConfig(endpoint, endpoint, "bucket", "us-east-1", "access", "s" * 8)
    assert isinstance(open_store(s3), S3Store)


def test_a_configuration_of_neither_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_ENDPOINT"):
        StoreConfig()
