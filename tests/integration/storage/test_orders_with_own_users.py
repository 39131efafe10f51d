"""Indexed Jobs run as the manifests have them, each with its own user of the store, some of them killed."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.imaging.images import encode_png
from services.common.storage.s3 import S3Store
from services.evaluation.model_evaluations import newest_keys
from tests.deploy.orders import order, start
from tests.deploy.rendering import Object
from tests.integration.storage.conftest import BUCKET, MinioWithUsers
from tests.support import s3_servers
from tests.support.label_maps import discs
from tests.support.pictures import nuclei_picture
from tests.support.processes import serving

PLAIN = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ".:protos", "OMP_NUM_THREADS": "1"}
COUNT, SHARDS = 10, 2


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """Deployed services, whose store is their own affair."""
    address = f"unix:{tmp_path}/services"
    settings = {"BIOSYNTH_ADDRESS": address, "BIOSYNTH_STORE_PATH": str(tmp_path / "results"), "HOME": str(tmp_path)}
    with serving(["services.cli", "serve"], {**PLAIN, **settings}):
        yield address


def as_user(minio: MinioWithUsers, user: str, folder: Path) -> dict[str, str]:
    """The variables of a pod whose store user this is."""
    keys = minio.secrets / f"store-{user}"
    return PLAIN | {"HOME": str(folder), **s3_servers.user_settings(minio.server.endpoint, BUCKET, keys)}


def finish(objects: list[Object], component: str, index: int, folder: Path, env: dict[str, str]) -> str:
    """Run an index to its end; returns what it said."""
    process = start(objects, component, index, folder, env)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def kill_after(records: int, store: S3Store, objects: list[Object], folder: Path, env: dict[str, str]) -> None:
    """Start the first index, and kill it when this many of its batches are done."""
    process = start(objects, "bulk-generation", 0, folder, env)
    end = time.monotonic() + 60
    while sum(1 for _ in store.list("datasets/generated/killed/records/")) < records:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_bulk_generation_whose_pods_are_killed_loses_and_doubles_nothing(
    minio: MinioWithUsers, endpoint: str, tmp_path: Path
) -> None:
    root = minio.store("root")
    for number in range(3):
        root.put(f"inputs/masks/{number}.png", encode_png(discs(64, 80, 6, number).astype("uint8")), "image/png")
    objects = order("bulk-generation", tmp_path / "order")
    env = as_user(minio, "bulk-generation", tmp_path) | {
        "MASKS": "inputs/masks", "OUT": "datasets/generated/killed", "MODEL": "fluo-nuclei",
        "COUNT": str(COUNT), "SHARDS": str(SHARDS), "OPTIONS": "",
        "BIOSYNTH_ENDPOINT": endpoint, "BIOSYNTH_ENDPOINT_CA_FILE": "", "BIOSYNTH_ENDPOINT_TOKEN_FILE": "",
    }  # fmt: skip
    kill_after(2, root, objects, tmp_path, env)
    assert "of other shards are not there yet" in finish(objects, "bulk-generation", 0, tmp_path, env)
    finish(objects, "bulk-generation", 1, tmp_path, env)

    place = "datasets/generated/killed"
    lines = [json.loads(line) for line in root.get(f"{place}/manifest.jsonl", 1 << 20).splitlines()]
    assert [line["name"] for line in lines] == [f"{number:06}" for number in range(COUNT)]
    for line in lines:
        for part in ("image", "mask", "reference"):
            data = root.get(f"{place}/{line[part]['file']}", 1 << 20)
            assert hashlib.sha256(data).hexdigest() == line[part]["sha256"]
    kinds = ("images", "masks", "references", "records")
    assert {kind: sum(1 for _ in root.list(f"{place}/{kind}/")) for kind in kinds} == dict.fromkeys(kinds, COUNT)


def test_an_evaluation_job_reads_sets_from_the_store_and_leaves_report_and_record_there(
    minio: MinioWithUsers, tmp_path: Path
) -> None:
    root = minio.store("root")
    for seed in range(3):
        for folder, first in (("real", 0), ("made", 100)):
            picture = encode_png(nuclei_picture(128, 160, 8, first + seed))
            root.put(f"datasets/{folder}/images/{seed}.png", picture, "image/png")
    objects = order("evaluation-job", tmp_path / "order")
    (tmp_path / "evaluations").mkdir()
    sets = f"s3://{BUCKET}/datasets/real/images s3://{BUCKET}/datasets/made/images"
    (tmp_path / "evaluations" / "evaluations.txt").write_text(
        f"# two\n{sets} --model fluo-nuclei/998 --out s3://{BUCKET}/evaluations/a\n"
        f"{sets} --model fluo-nuclei/999 --out s3://{BUCKET}/evaluations/b\n"
    )
    env = as_user(minio, "evaluation-job", tmp_path)
    before = set(newest_keys(root))
    finish(objects, "evaluation-job", 1, tmp_path, env)
    files = ("metrics.csv", "metrics.json", "report.html")
    assert list(root.list("evaluations/b/")) == [f"evaluations/b/{name}" for name in files]
    figures = json.loads(root.get("evaluations/b/metrics.json", 1 << 20))
    assert figures["real"]["fields"] == 3 and figures["candidates"][0]["sets"]
    (record,) = set(newest_keys(root)) - before
    assert b"fluo-nuclei" in root.get(record, 1 << 16)
