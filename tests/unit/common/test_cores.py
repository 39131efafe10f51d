"""How many cores an engine takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.engines.onnx_cpu import usable_cores


@pytest.fixture
def cpu_max(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the quota stands, on a machine of eight cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("1600000 100000\n", 8),
    ],
)
def test_a_containers_quota_bounds_the_cores(cpu_max: Path, text: str, cores: int) -> None:
    cpu_max.write_text(text)
    assert usable_cores(cpu_max) == cores


def test_without_a_quota_all_cores_of_the_process_count(cpu_max: Path) -> None:
    assert usable_cores(cpu_max) == 8
