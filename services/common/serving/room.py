"""What computations take up: threads, and memory."""

from __future__ import annotations

import asyncio

from services.common.errors import Overloaded


class Room:
    """Threads and bytes of memory, handed out first come, first served; for one event loop.

    Who needs much memory makes those behind him wait: were they let past, he would wait for ever. Waiting takes no
    thread, and at most `max_waiting` wait.
    """

    def __init__(self, threads: int, memory: int, max_waiting: int = 64) -> None:
        self.threads, self.memory = threads, memory
        self._free_threads, self._free_memory = threads, memory
        self._most = max_waiting
        self._waiting: dict[asyncio.Future[None], int] = {}  # what each needs, in the order in which they came

    def share(self, memory: int) -> float:
        """What part of the room a computation takes that needs so many bytes: of the threads or of the memory."""
        return max(1 / self.threads, memory / max(self.memory, 1))

    def is_free_for(self, memory: int) -> bool:
        """Whether `take` would return at once."""
        return not self._waiting and self._fits(memory)

    async def take(self, memory: int) -> None:
        """Wait for a thread and so many bytes, which `give_back` frees. Raises Overloaded where too many wait."""
        if len(self._waiting) >= self._most:
            raise Overloaded(f"{len(self._waiting)} computations are already waiting; try again later")
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = memory
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # his turn came while he left
                self.give_back(memory)
            raise
        finally:
            if self._waiting.pop(turn, None) is not None:
                self._hand_out()

    def give_back(self, memory: int) -> None:
        """Free what `take` took."""
        self._free_threads += 1
        self._free_memory += memory
        self._hand_out()

    def _fits(self, memory: int) -> bool:
        return self._free_threads > 0 and memory <= self._free_memory

    def _hand_out(self) -> None:
        while self._waiting:
            turn, memory = next(iter(self._waiting.items()))
            if not turn.cancelled() and not self._fits(memory):
                return
            del self._waiting[turn]
            if turn.cancelled():  # he leaves, but has not been told yet
                continue
            self._free_threads -= 1
            self._free_memory -= memory
            turn.set_result(None)
