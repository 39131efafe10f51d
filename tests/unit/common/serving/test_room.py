"""Places and memory are handed out in turn, and nothing of them is ever lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import Overloaded
from services.common.serving.room import Room


async def _taken(room: Room, memory: int) -> None:
    turn = room.ask(memory)
    try:
        await turn
    except asyncio.CancelledError:
        room.withdraw(turn, memory)
        raise


def test_who_needs_much_memory_is_not_overtaken_and_so_has_his_turn() -> None:
    async def main() -> list[str]:
        room, order = Room(places=4, memory=100), list[str]()

        async def work(name: str, memory: int) -> None:
            await _taken(room, memory)
            order.append(name)
            await asyncio.sleep(0.01)
            room.give_back(memory)

        async with asyncio.TaskGroup() as tasks:
            for name, memory in (("small", 60), ("big", 90), ("tiny", 1)):
                tasks.create_task(work(name, memory))
        return order

    assert asyncio.run(main()) == ["small", "big", "tiny"]


def test_more_who_wait_than_allowed_are_refused() -> None:
    async def main() -> None:
        room = Room(places=1, memory=1, max_waiting=1)
        await _taken(room, 0)
        waiting = asyncio.ensure_future(_taken(room, 0))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="1 computations are already waiting"):
            await _taken(room, 0)
        room.give_back(0)
        await waiting

    asyncio.run(main())


def test_ten_thousand_who_leave_while_they_wait_free_their_places() -> None:
    async def main() -> None:
        room = Room(places=1, memory=1, max_waiting=10_000)
        await _taken(room, 0)
        waiting = [asyncio.ensure_future(_taken(room, 0)) for _ in range(10_000)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        last = asyncio.ensure_future(_taken(room, 0))
        await asyncio.sleep(0)
        assert not last.done()
        room.give_back(0)
        await last

    asyncio.run(main())


@settings(max_examples=50, deadline=None)
@given(
    threads=st.integers(1, 4),
    calls=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3), st.booleans()), max_size=40),
)
def test_whoever_comes_stays_or_leaves_all_room_is_free_at_the_end_and_never_overdrawn(
    threads: int, calls: list[tuple[int, int, bool]]
) -> None:
    """calls: memory, loop turns that each works, and whether he leaves in the middle."""

    async def main() -> None:
        room, held = Room(threads, memory=100), list[int]()

        async def work(memory: int, turns: int) -> None:
            await _taken(room, memory)
            held.append(memory)
            assert len(held) <= threads
            assert sum(held) <= 100
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                held.remove(memory)
                room.give_back(memory)

        tasks = []
        for memory, turns, leaves in calls:
            tasks.append(asyncio.ensure_future(work(memory, turns)))
            await asyncio.sleep(0)
            if leaves:
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert held == []
        for _ in range(threads - 1):
            assert room.is_free_for(100)
            await _taken(room, 0)
        assert room.is_free_for(100)

    asyncio.run(main())
