"""How many bytes of requests and replies a server holds at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Overloaded
from services.common.serving.in_flight import InFlight


def test_one_request_is_always_held_and_the_next_one_where_there_is_room() -> None:
    in_flight = InFlight(100)
    words = "500 bytes of requests and replies are in work, of 100"
    with in_flight.held(500), pytest.raises(Overloaded, match=words), in_flight.held(1):
        pytest.fail("held")
    with in_flight.held(60), in_flight.held(40), pytest.raises(Overloaded), in_flight.held(1):
        pytest.fail("held")


@given(st.lists(st.integers(0, 80), max_size=20))
def test_what_has_ended_is_forgotten_however_it_ended(sizes: list[int]) -> None:
    in_flight = InFlight(100)
    for size in sizes:
        try:
            with in_flight.held(size), in_flight.held(50):
                raise KeyError
        except (KeyError, Overloaded):
            pass
    with in_flight.held(100):
        pass
    assert in_flight._held == 0
