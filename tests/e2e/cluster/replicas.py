"""One generator and two: whether clients find the second, what each does, and what both do together."""

from __future__ import annotations

import sys
import time

from tests.e2e.cluster.generators import QUOTA, answered, generator_names, ready_generators, set_generators
from tests.e2e.cluster.kubectl import kubectl, say, until
from tests.e2e.cluster.load import DIRECT, load, rate, tell
from tests.e2e.cluster.proof import Proof

_SIDE_PX = 256
_MEASURE_S = 30
_FOUND_WITHIN_S = 30


def a_second_replica_doubles_the_work(proof: Proof) -> None:
    """Clients that are there already use a new replica within 30 s; both then share the work."""
    set_generators(1)
    with load(proof, "load-replicas", DIRECT, threads=6, side_px=_SIDE_PX) as calls:
        one = calls.during(_MEASURE_S)
        first = generator_names()
        kubectl("scale", "deployment/generation", "--replicas=2")
        ready = until("a second generator is ready", lambda: set(ready_generators()) - set(first), 300)
        _is_used(*ready)
        before = answered(generator_names())
        two = calls.during(_MEASURE_S)
        shares = _shares(before, answered(list(before)))
        failed = tell("from one replica to two", calls.calls())
    each = f"{_SIDE_PX}x{_SIDE_PX} px, quota {QUOTA} a replica"
    say(f"one replica: {rate(one):.2f} images/s; two: {rate(two):.2f}, x{rate(two) / rate(one):.2f} ({each})")
    if failed or not all(0.35 <= share <= 0.65 for share in shares.values()):
        sys.exit("expected no call to fail, and each replica to do 35 to 65 % of the work")


def _is_used(name: str) -> None:
    """Wait until the new pod has answered a call of clients that were there before it."""
    begin = time.monotonic()
    until(f"clients that were there before use {name}", lambda: answered([name])[name] > 0, 180)
    seconds = time.monotonic() - begin
    say(f"the new replica answered its first call {seconds:.0f} s after it was ready")
    if seconds > _FOUND_WITHIN_S:
        sys.exit(f"expected this within {_FOUND_WITHIN_S} s")


def _shares(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Of the work between two looks, by pod."""
    done = {name: after[name] - before[name] for name in before}
    shares = {name: count / sum(done.values()) for name, count in done.items()}
    say("shares by the pods' own metrics: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    return shares
