"""One computation for all who ask for the same thing at once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.progress import LISTENER, Listener, tell_progress
from services.common.serving.flights import Flights


class Computation:
    """Counts how often it begins, and how often it is cancelled."""

    def __init__(self, seconds: float = 0.02, error: Exception | None = None) -> None:
        self.begun = self.cancelled = 0
        self._seconds, self._error = seconds, error

    async def __call__(self) -> str:
        self.begun += 1
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error
        return "done"


@pytest.mark.parametrize("callers", [2, 3, 5, 10])
def test_all_who_ask_at_once_get_the_one_result(callers: int) -> None:
    async def main() -> None:
        flights, compute = Flights(), Computation()
        assert await asyncio.gather(*(flights.join("k", compute) for _ in range(callers))) == ["done"] * callers
        assert compute.begun == 1
        assert await flights.join("k", compute) == "done"
        assert compute.begun == 2  # it is over, so the next one begins anew

    asyncio.run(main())


def test_an_error_reaches_everybody_and_is_forgotten() -> None:
    async def main() -> None:
        flights, compute = Flights(), Computation(error=ValueError("no"))
        found = await asyncio.gather(*(flights.join("k", compute) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in found] == ["no"] * 3
        assert await flights.join("k", Computation()) == "done"

    asyncio.run(main())


def test_one_who_leaves_does_not_stop_the_others_and_the_last_one_does() -> None:
    async def main() -> None:
        flights, compute = Flights(), Computation(0.05)
        first, second, third = (asyncio.ensure_future(flights.join("k", compute)) for _ in range(3))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0)
        assert compute.cancelled == 0
        assert await second == "done" and await third == "done"

        left = asyncio.ensure_future(flights.join("k", compute))
        await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.sleep(0.01)
        assert compute.cancelled == 1

    asyncio.run(main())


def test_all_who_listen_are_told_the_steps_of_the_one_computation() -> None:
    async def compute() -> str:
        await asyncio.sleep(0.01)  # time for all to join
        tell_progress(1, 2)
        return "done"

    async def join(flights: Flights, listener: Listener | None) -> str:
        LISTENER.set(listener)
        return await flights.join("k", compute)

    async def main() -> None:
        flights, told = Flights(), Counter[tuple[str, int, int]]()
        listeners = [lambda *steps, who=who: told.update([(who, *steps)]) for who in "ab"]
        joining = (asyncio.ensure_future(join(flights, listener)) for listener in (None, *listeners))
        assert await asyncio.gather(*joining) == ["done"] * 3
        assert told == {("a", 1, 2): 1, ("b", 1, 2): 1}

    asyncio.run(main())


def test_who_comes_after_everybody_has_left_starts_a_new_computation() -> None:
    async def main() -> None:
        flights, compute = Flights(), Computation(0.05)
        first = asyncio.ensure_future(flights.join("k", compute))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0)
        assert await flights.join("k", compute) == "done"
        assert (compute.begun, compute.cancelled) == (2, 1)

    asyncio.run(main())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 8), st.one_of(st.none(), st.integers(1, 8)), st.booleans()),
        min_size=1,
        max_size=25,
    )
)
def test_everybody_gets_his_own_answer_whoever_fails_or_leaves(calls: list[tuple[str, int, int | None, bool]]) -> None:
    """calls: key, when it comes, when it leaves (None: never), whether the computation it would start fails; in ms."""

    async def main() -> Counter[str]:
        flights, ended = Flights(), Counter[str]()

        async def call(key: str, comes: int, leaves: int | None, fails: bool) -> None:
            async def compute() -> str:
                await asyncio.sleep(0.004)
                if fails:
                    raise ValueError(key)
                return key

            await asyncio.sleep(comes / 1000)
            try:
                async with asyncio.timeout(None if leaves is None else leaves / 1000):
                    assert await flights.join(key, compute) == key
                    ended["answered"] += 1
            except ValueError:
                ended["failed"] += 1
            except TimeoutError:
                ended["left"] += 1

        await asyncio.gather(*(call(*one) for one in calls))
        assert not flights._flights
        return ended

    assert asyncio.run(main()).total() == len(calls)
