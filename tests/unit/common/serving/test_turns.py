"""Turns at holding files: some small ones, or a large one."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from services.common.serving.turns import Turns


def test_small_ones_share_their_places_and_a_large_one_is_alone() -> None:
    turns, lock, held, most = Turns(3), threading.Lock(), {"small": 0, "large": 0}, {"small": 0, "large": 0}

    def hold(kind: str) -> None:
        with turns.small() if kind == "small" else turns.large():
            with lock:
                held[kind] += 1
                most[kind] = max(most[kind], held[kind])
                assert held["large"] == 0 or held == {"small": 0, "large": 1}
            time.sleep(0.002)
            with lock:
                held[kind] -= 1

    kinds = ["small"] * 60 + ["large"] * 20
    random.Random(0).shuffle(kinds)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(hold, kinds))
    assert most == {"small": 3, "large": 1}


def test_small_ones_do_not_pass_a_large_one_for_ever() -> None:
    turns, came = Turns(2), threading.Event()

    def large() -> None:
        with turns.large():
            came.set()

    first = turns.small()
    first.__enter__()
    thread = threading.Thread(target=large)
    thread.start()
    time.sleep(0.05)  # it waits for the first
    later = threading.Thread(target=lambda: turns.small().__enter__())
    later.start()
    time.sleep(0.05)
    first.__exit__(None, None, None)
    assert came.wait(5)
    thread.join()
    later.join()
