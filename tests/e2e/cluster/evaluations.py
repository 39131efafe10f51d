"""Two sets of images judged by an Indexed Job, an index each: reports in the store, and records for the service."""

from __future__ import annotations

import io
import json
import secrets
import sys

from minio import Minio

from services.common.imaging.images import encode_png
from tests.e2e.cluster.order import apply_order
from tests.e2e.cluster.proof import Proof
from tests.e2e.cluster.store import BUCKET, keys_below, opened_store, read
from tests.e2e.kubectl import kubectl, say
from tests.support.pictures import nuclei_picture

_NAME, _FIELDS = "evaluation-job", 4
_SETS = ("alike", "other")
_SMALL = {  # for a node whose cores the services have
    "target": {"kind": "Job", "name": _NAME},
    "patch": '[{"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "100m"}]',
}


def two_sets_are_judged(proof: Proof) -> None:
    """Put images into the store, order their evaluation, and look for a report of each set and for new records."""
    order = f"proof-{secrets.token_hex(4)}"
    with opened_store(proof) as store:
        for number, name in enumerate(("real", *_SETS)):
            for seed in range(_FIELDS):
                _put(store, f"inputs/{order}/{name}/{seed}.png", seed + 100 * number)
        before = keys_below(store, "results/evaluations/")
        lines = [
            f"s3://{BUCKET}/inputs/{order}/real s3://{BUCKET}/inputs/{order}/{name} --model {name}/1 "
            f"--out s3://{BUCKET}/evaluations/{order}/{name}"
            for name in _SETS
        ]
        try:
            apply_order(_NAME, {"EVALUATIONS": len(lines), "evaluations.txt": "\n".join(lines)}, [_SMALL])
            kubectl("wait", f"job/{_NAME}", "--for=condition=Complete", "--timeout=300s")
            _check(store, f"evaluations/{order}", before)
        finally:
            kubectl("delete", f"job/{_NAME}", "--ignore-not-found", quiet=True)


def _put(store: Minio, key: str, seed: int) -> None:
    image = encode_png(nuclei_picture(256, 256, seed=seed))
    store.put_object(BUCKET, key, io.BytesIO(image), len(image))


def _check(store: Minio, folder: str, before: set[str]) -> None:
    verdicts = {
        name: json.loads(read(store, f"{folder}/{name}/metrics.json"))["candidates"][0]["verdict"] for name in _SETS
    }
    pages = [name for name in _SETS if f"{folder}/{name}/report.html" in keys_below(store, folder)]
    records = keys_below(store, "results/evaluations/") - before
    say(f"verdicts: {verdicts}; {len(pages)} reports; {len(records)} new records")
    if len(pages) != len(_SETS) or len(records) != len(_SETS):
        sys.exit("expected a report and a record of each set")
