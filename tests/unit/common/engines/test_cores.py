"""How many cores a process takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.engines.cores import usable_cores


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for quotas, on a machine of eight cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


QUOTAS = [("200000 100000\n", 2), ("150000 100000\n", 2), ("10000 100000\n", 1), ("1600000 100000\n", 8)]


@pytest.mark.parametrize(("text", "cores"), [("max 100000\n", 8), *QUOTAS])
def test_a_containers_quota_bounds_the_cores(cgroups: Path, text: str, cores: int) -> None:
    (cgroups / "cpu.max").write_text(text)
    assert usable_cores(cgroups) == cores


@pytest.mark.parametrize(("text", "cores"), [("-1 100000\n", 8), *QUOTAS])
def test_so_does_one_of_cgroups_of_the_first_version(cgroups: Path, text: str, cores: int) -> None:
    (cgroups / "cpu").mkdir()
    for name, number in zip(("quota", "period"), text.split(), strict=True):
        (cgroups / "cpu" / f"cpu.cfs_{name}_us").write_text(number)
    assert usable_cores(cgroups) == cores


def test_without_a_quota_all_cores_of_the_process_count(cgroups: Path) -> None:
    assert usable_cores(cgroups) == 8
