"""How much memory a server has for computations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from biosynth.contract import MIB

from services.common.serving.memory import for_computations, server_memory

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("memory.max", "1073741824\n", 1024 * MIB),
        ("memory/memory.limit_in_bytes", "1073741824\n", 1024 * MIB),
        ("memory.max", "max\n", int(0.75 * MACHINE)),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", int(0.75 * MACHINE)),
        ("elsewhere", "1", int(0.75 * MACHINE)),
    ],
)
def test_a_server_may_take_its_containers_limit_or_most_of_the_machine(
    tmp_path: Path, file: str, text: str, expected: int
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert server_memory(tmp_path) == expected


def test_requests_and_the_process_itself_are_set_aside() -> None:
    assert for_computations(4096 * MIB, 256 * MIB) == (4096 - 256 - 960) * MIB
    assert for_computations(512 * MIB, 256 * MIB) == 0
