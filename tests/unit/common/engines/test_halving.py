"""Batches for which a device has no memory, with an engine that says so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.engines.halving import run_halved
from services.common.errors import DeviceFull

PLANES = np.arange(7 * 2 * 4 * 4, dtype=np.float32).reshape(7, 2, 4, 4)
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def with_memory_for(most: int, seen: list[int]) -> Run:
    """Doubles the first plane of at most so many inputs at once."""

    def run(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(len(planes))
        if len(planes) > most:
            raise DeviceFull("full")
        return 2 * planes[:, :1]

    return run


@pytest.mark.parametrize(
    ("most", "sizes"), [(7, [7]), (3, [7, 3, 4, 2, 2]), (1, [7, 3, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1])]
)
def test_a_batch_is_halved_until_it_fits_and_gives_the_very_same(most: int, sizes: list[int]) -> None:
    seen: list[int] = []
    made = run_halved(with_memory_for(most, seen), PLANES, lambda: None)
    assert made.tobytes() == (2 * PLANES[:, :1]).tobytes()
    assert seen == sizes


def test_memory_is_given_back_after_each_failure_and_what_the_failed_run_held_is_gone() -> None:
    seen: list[int] = []
    held: list[int] = []  # of what failed runs had on the device, when memory is given back
    alive: set[int] = set()

    class OnDevice:
        def __init__(self) -> None:
            alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    def run(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        tensor = OnDevice()
        result = with_memory_for(2, seen)(planes)
        assert tensor
        return result

    run_halved(run, PLANES, lambda: held.append(len(alive)))
    assert held == [0] * sum(size > 2 for size in seen)


def test_one_input_is_tried_again_with_all_memory_given_back_then_refused() -> None:
    seen: list[int] = []
    freed: list[int] = []
    with pytest.raises(DeviceFull):
        run_halved(with_memory_for(0, seen), PLANES[:2], lambda: freed.append(len(seen)))
    assert (seen, freed) == ([2, 1, 1], [1, 2])

    def at_second(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        return with_memory_for(len(freed) - 2, seen)(planes)

    assert run_halved(at_second, PLANES[:1], lambda: freed.append(0)).shape == (1, 1, 4, 4)
