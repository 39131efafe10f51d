"""One generator and two: whether clients find the second, what each does, and what both do together."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tests.e2e.cluster.generators import QUOTA, generator_names, ready_generators, set_generators, work
from tests.e2e.cluster.load import DIRECT, Load, load, rate, tell
from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import kubectl, say, until

_SIDE_PX = 256
_MEASURE_S = 30
_FOUND_WITHIN_S = 30


def a_second_replica_doubles_the_work(proof: Proof) -> None:
    """Clients that are there already use a new replica within 30 s; both then share the work."""
    set_generators(1)
    with load(proof, "load-replicas", DIRECT, threads=6, side_px=_SIDE_PX) as calls:
        first = generator_names()
        one, _ = _measured(calls, first)
        kubectl("scale", "deployment/generation", "--replicas=2")
        (second,) = until("a second generator is ready", lambda: set(ready_generators()) - set(first), 300)
        _is_used(second)
        two, shares = _measured(calls, [*first, second])
        failed = tell("from one replica to two", calls.calls())
    say(f"{_SIDE_PX}x{_SIDE_PX} px, quota {QUOTA} a replica: one {one:.2f} images/s, two {two:.2f}, x{two / one:.2f}")
    if failed or not all(0.35 <= share <= 0.65 for share in shares):
        sys.exit("expected no call to fail, and each replica to do 35 to 65 % of the work")


def _measured(calls: Load, names: Sequence[str]) -> tuple[float, list[float]]:
    """Images a second of these generators together, by the caller's clock, and the share of each."""
    before = work(names)
    images = rate(calls.during(_MEASURE_S))
    done = {name: after.since(before[name]) for name, after in work(names).items()}
    whole = sum(one.images for one in done.values())
    for name, one in done.items():
        say(f"{name}: {one.images:.0f} images, {one.images / whole:.0%} of the work, {one.cpu_s:.1f} CPU seconds")
    return images, [one.images / whole for one in done.values()]


def _is_used(name: str) -> None:
    """Wait until the new pod has answered a call of clients that were there before it."""
    begin = time.monotonic()
    until(f"clients that were there before use {name}", lambda: work([name])[name].images > 0, 180)
    seconds = time.monotonic() - begin
    say(f"the new replica answered its first call {seconds:.0f} s after it was ready")
    if seconds > _FOUND_WITHIN_S:
        sys.exit(f"expected this within {_FOUND_WITHIN_S} s")
