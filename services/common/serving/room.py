"""What computations take up: places at threads, and memory."""

from __future__ import annotations

import asyncio

from services.common.errors import Overloaded


class Room:
    """Places and bytes of memory, handed out first come, first served; for one event loop.

    Who needs much memory makes those behind him wait: were they let past, he would wait for ever. Waiting takes no
    thread, and at most `max_waiting` wait.
    """

    def __init__(self, places: int, memory: int, max_waiting: int = 64) -> None:
        self.memory = memory
        self._free_places, self._free_memory = places, memory
        self._most = max_waiting
        self._waiting: dict[asyncio.Future[None], int] = {}  # what each needs, in the order in which they came

    def is_free_for(self, memory: int) -> bool:
        """Whether who asks for so many bytes now has them at once."""
        return not self._waiting and self._fits(memory)

    def ask(self, memory: int) -> asyncio.Future[None]:
        """Ask for a place and so many bytes: the turn, done once they are his. Raises Overloaded where too many wait.

        What he has is freed by `give_back`; a turn that he does not want any more, by `withdraw`.
        """
        if len(self._waiting) >= self._most:
            raise Overloaded(f"{len(self._waiting)} computations are already waiting; try again later")
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = memory
        self._hand_out()
        return turn

    def withdraw(self, turn: asyncio.Future[None], memory: int) -> None:
        """Leave, whether his turn has come or not."""
        if self._waiting.pop(turn, None) is not None:
            self._hand_out()
        elif not turn.cancelled():
            self.give_back(memory)

    def give_back(self, memory: int) -> None:
        """Free what he had."""
        self._free_places += 1
        self._free_memory += memory
        self._hand_out()

    def _fits(self, memory: int) -> bool:
        return self._free_places > 0 and memory <= self._free_memory

    def _hand_out(self) -> None:
        while self._waiting:
            turn, memory = next(iter(self._waiting.items()))
            if not turn.cancelled() and not self._fits(memory):
                return
            del self._waiting[turn]
            if turn.cancelled():  # he leaves, but has not been told yet
                continue
            self._free_places -= 1
            self._free_memory -= memory
            turn.set_result(None)
