"""For all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: the machines that run these are shared. Derandomised: the same commit gives the same verdict.
settings.register_profile("biosynth", deadline=None, derandomize=True)
settings.load_profile("biosynth")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data packs; the test skips where there is none."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real microscopy data is not here: set BIOSYNTH_TEST_DATA to the folder of the data packs")
    return Path(folder)
