"""A bulk order by an Indexed Job of four shards, one of whose processes is killed: nothing lost, nothing twice."""

from __future__ import annotations

import io
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import numpy as np
from minio import Minio

from services.common.imaging.images import encode_png
from tests.e2e.cluster.generators import set_generators
from tests.e2e.cluster.killing import kill_process
from tests.e2e.cluster.order import apply_order
from tests.e2e.cluster.proof import Proof
from tests.e2e.cluster.store import BUCKET, keys_below, lost, opened_store, read
from tests.e2e.kubectl import kubectl, objects, say, until
from tests.support.label_maps import discs

_MASKS, _COUNT, _SHARDS = 5, 400, 4  # some half a minute of work, so that a kill comes in its midst
_NAME = "bulk-generation"


def a_bulk_order_outlives_a_kill(proof: Proof) -> None:
    """Order images from masks in the store, kill a shard at work, and check manifest and objects."""
    set_generators(2)
    order = f"proof-{secrets.token_hex(4)}"  # a folder of its own: MinIO's data outlives the deployment
    out = f"datasets/generated/{order}/"
    with opened_store(proof) as store:
        for number in range(_MASKS):
            mask = encode_png(discs(128, 128, 10, seed=number).astype(np.uint16))
            store.put_object(BUCKET, f"inputs/{order}/{number}.png", io.BytesIO(mask), len(mask))
        folders = {"MASKS": f"inputs/{order}", "OUT": f"datasets/generated/{order}"}
        try:
            apply_order(_NAME, {**folders, "MODEL": "fluo-nuclei", "COUNT": _COUNT, "SHARDS": _SHARDS})
            until("some of the order is done", lambda: len(keys_below(store, f"{out}records/")) >= _SHARDS)
            kill_process(proof, _shard(1), "services.cli")
            kubectl("wait", f"job/{_NAME}", "--for=condition=Complete", "--timeout=300s")
            (job,) = [job for job in objects("jobs") if job["metadata"]["name"] == _NAME]
            status = {name: job["status"].get(name) for name in ("succeeded", "failed", "completedIndexes")}
            say(f"status of the Job: {status}")
            if status["failed"] != 1:
                sys.exit("expected one try to have failed, the one that was killed")
            _check(store, out)
        finally:
            kubectl("delete", f"job/{_NAME}", "--ignore-not-found", quiet=True)


def _shard(index: int) -> dict[str, Any]:
    """The pod that works on this index."""
    label = f"batch.kubernetes.io/job-completion-index={index},job-name={_NAME}"
    return objects("pods", "--selector", label)[0]


def _check(store: Minio, out: str) -> None:
    """Each image is in the manifest once, each object as the manifest says, and no other object is there."""
    lines = [json.loads(line) for line in read(store, f"{out}manifest.jsonl").splitlines()]
    parts = [line[part] for line in lines for part in ("image", "mask", "reference")]
    named = {f"{out}{part['file']}": part["sha256"] for part in parts}
    missing = lost(store, named)
    others = [
        key for key in keys_below(store, out) - named.keys() if Path(key).parts[3] in ("images", "masks", "references")
    ]
    distinct = [len({_text(line[part]) for line in lines}) for part in ("name", "seed", "image")]
    say(f"manifest: {len(lines)} lines; distinct names, seeds, images: {distinct}")
    say(f"objects: {len(named)} named by the manifest, {len(missing)} of them lost, {len(others)} others")
    if [len(lines), *distinct] != [_COUNT] * 4 or len(named) != 3 * _COUNT or missing or others:
        sys.exit(f"expected {_COUNT} of each, none lost and none besides; lost {missing[:3]}, others {others[:3]}")


def _text(value: Any) -> str:
    """Of a name, a seed, or a part with the SHA-256 of its file."""
    return str(value["sha256"] if isinstance(value, dict) else value)
