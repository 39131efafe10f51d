"""Fixtures of the tests of what is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.serving.load_metrics import LoadMetrics
from services.common.serving.metrics import Metrics
from services.common.storage.folder import FolderStore
from services.evaluation.quality_metrics import QualityMetrics
from services.generation.servicer import generation_seconds


@pytest.fixture
def exposed(tmp_path: Path) -> set[str]:
    """Names of all series that our services have for Prometheus."""
    registry = Metrics().registry
    LoadMetrics(registry)
    generation_seconds(registry)
    (tmp_path / "store").mkdir()
    QualityMetrics(FolderStore(tmp_path / "store"), registry)
    ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    return {family.name + end for family in registry.collect() for end in ends[family.type]}
