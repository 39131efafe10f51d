"""A tiny dataset and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.disk_fields import write_disk_fields


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fields of `write_disk_fields`."""
    folder = tmp_path_factory.mktemp("dataset")
    write_disk_fields(folder)
    return folder
