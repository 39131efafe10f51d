"""The object store restarted under load: what was answered stays, and calls find it again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tests.e2e.cluster.generators import set_generators
from tests.e2e.cluster.load import DIRECT, Call, load, tell
from tests.e2e.cluster.proof import Proof
from tests.e2e.cluster.store import lost, opened_store
from tests.e2e.kubectl import kubectl, say, until

_AFTER_S = 20  # so that calls which were hit have come to their end


def a_restarted_store_loses_nothing(proof: Proof) -> None:
    """Every result that was answered, before, meanwhile and after, can be fetched after."""
    set_generators(2)
    with load(proof, "load-store", DIRECT, threads=4) as calls:
        before = len(calls.calls())
        kubectl("delete", "pod", "minio-0")
        kubectl("rollout", "status", "statefulset/minio", "--timeout=120s", quiet=True)
        again = len(calls.calls())
        until("calls succeed again", lambda: any(not call.error for call in calls.calls()[again:]))
        time.sleep(_AFTER_S)
        every = calls.calls()
    failed = tell("MinIO restarted", every[before:])
    _all_are_there(proof, every)
    if failed:
        sys.exit("expected no call to fail")


def _all_are_there(proof: Proof, calls: Sequence[Call]) -> None:
    """Fetch every object that a call was answered with, and hash it."""
    named = {call.key: call.sha256 for call in calls if not call.error}
    with opened_store(proof) as store:
        missing = lost(store, named)
    say(f"{len(named)} results were answered; {len(named) - len(missing)} are in the store, byte for byte")
    if missing:
        sys.exit(f"expected all of them; lost: {missing[:5]}")
