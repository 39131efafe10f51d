"""The same requests against whatever is deployed: containers by compose, or pods of a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tifffile
import urllib3
from biosynth import BiosynthCallError, Client
from biosynth.channel import TlsOptions
from biosynth.results import GenerationResult, ReferenceResult, RunOutcome, SegmentationResult
from biosynth.v1.pipeline_pb2 import CreateDownloadRequest, CreateUploadRequest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from services.cli.composition import SERVICES
from services.common.imaging.images import decode_image, encode_png
from services.generation.model import SHIPPED, ModelShelf
from tests.e2e.deployment import Deployment
from tests.support.pictures import nuclei_picture

MIB = 1024 * 1024
SHA256 = "0" * 64


def test_a_picture_goes_the_whole_way_and_the_same_again_is_found(client: Client) -> None:
    picture = encode_png(nuclei_picture(seed=5))
    stages: list[str] = []
    found, drawn, made = whole(
        client.run(image=picture, seed=3, on_progress=lambda progress: stages.append(str(progress.stage)))
    )
    assert made.image.shape == drawn.reference.shape == (192, 256)
    assert found.nuclei is not None
    assert found.nuclei.max() > 5
    assert len(set(stages)) == 4
    *_, again = whole(client.run(image=picture, seed=3))
    assert again.cached
    assert again.image.tobytes() == made.image.tobytes()


def test_every_service_answers_at_the_one_address(client: Client) -> None:
    picture = nuclei_picture(seed=9)
    found = client.segment(picture)
    drawn = client.render(found, schema="nuclei3")
    made = client.generate(drawn.reference, model="fluo-nuclei", like=picture, like_reference=drawn.reference)
    assert "ssim" in {metric.name for metric in client.compare(picture, made.image)}


def test_a_mask_is_given_the_look_of_an_image_by_the_command_line(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "cells.png").write_bytes(encode_png(nuclei_picture(seed=6)))
    commands = (
        ["segment", "cells.png", "--out", "masks"],
        ["render", "masks/cells.ome.tif", "--schema", "nuclei3", "--out", "drawn"],
        ["generate", "drawn/cells.reference.png", "--model", "fluo-nuclei", "--like", "cells.png", "--out", "made.png"],
    )
    for command in commands:
        done = command_line(deployment, tmp_path, *command)
        assert done.returncode == 0, done.stderr


def test_a_file_over_16_mib_goes_by_a_presigned_upload(client: Client, tmp_path: Path) -> None:
    pages = np.stack([nuclei_picture(600, 640, 150, seed).astype(np.uint16) for seed in range(24)])
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    assert (tmp_path / "stack.tif").stat().st_size > 16 * MIB
    *_, made = whole(client.run(image=tmp_path / "stack.tif", channel=3))
    assert made.image.shape == (600, 640)


def test_the_command_line_writes_its_pictures(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "cells.png").write_bytes(encode_png(nuclei_picture(seed=6)))
    done = command_line(deployment, tmp_path, "run", "cells.png", "--out", "out", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["generation"]["model"] == "fluo-nuclei"
    for name in ("segmentation.ome.tif", "reference.png", "generated.png", "overview.png", "report.html"):
        assert (tmp_path / "out" / name).stat().st_size > 0


def test_images_and_models_are_in_the_store_afterwards(deployment: Deployment, client: Client) -> None:
    client.run(image=encode_png(nuclei_picture(seed=7)))
    keys = [str(entry.object_name) for entry in deployment.store_root().list_objects("biosynth", recursive=True)]
    version = ModelShelf(SHIPPED).get("fluo-nuclei").description.version
    ends = ("segmentation.ome.tif", "reference.png", "generated.png", f"models/fluo-nuclei/{version}/model.json")
    for end in ends:
        assert any(key.endswith(end) for key in keys), f"nothing ends with {end}"
    (generated, *_) = [key for key in keys if key.endswith("generated.png")]
    data = deployment.store_root().get_object("biosynth", generated)
    with data:
        assert decode_image(data.read()).ndim == 2


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_stranger_is_refused(deployment: Deployment, token: str | None) -> None:
    with deployment.client(token=token) as client:
        with pytest.raises(BiosynthCallError) as run:
            client.run(image=encode_png(nuclei_picture()))
        with pytest.raises(BiosynthCallError) as upload:
            client.pipeline.CreateUpload(CreateUploadRequest(sha256=SHA256, size_bytes=1, extension="png"))
        with pytest.raises(BiosynthCallError) as download:
            client.pipeline.CreateDownload(CreateDownloadRequest())
    assert {caught.value.code for caught in (run, upload, download)} == {grpc.StatusCode.UNAUTHENTICATED}


def test_nothing_is_said_without_tls_nor_to_who_trusts_another_authority(
    deployment: Deployment, tmp_path: Path
) -> None:
    for tls in (None, TlsOptions(None)):  # the second trusts what this machine trusts, not the deployment's own CA
        with deployment.client(tls=tls, token=None) as client, pytest.raises(BiosynthCallError) as caught:
            client.run(image=b"x")
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_methods_are_not_listed(deployment: Deployment) -> None:
    credentials = grpc.composite_channel_credentials(
        deployment.tls().credentials(),
        grpc.access_token_call_credentials(deployment.secret("token/token")),
    )
    with (
        grpc.secure_channel(deployment.endpoint, credentials) as channel,
        pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"),
    ):
        ProtoReflectionDescriptorDatabase(channel).get_services()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image": b"hello, world, this is text"}, "INVALID_IMAGE"),
        ({"image": encode_png(nuclei_picture()), "model": "none-such"}, "UNKNOWN_NAME"),
    ],
)
def test_bad_input_is_answered_as_on_a_laptop(client: Client, arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(BiosynthCallError) as caught:
        client.run(**arguments)  # type: ignore[arg-type]
    assert caught.value.reason == reason


def test_an_upload_link_takes_its_bytes_only(client: Client) -> None:
    sha256 = "1f" * 32
    request = CreateUploadRequest(sha256=sha256, size_bytes=4, extension="png")
    link = client.pipeline.CreateUpload(request)
    assert "X-Amz-Expires=900" in link.url
    answer = urllib3.request("PUT", link.url, body=b"four", headers=dict(link.headers), retries=False)
    assert answer.status == 400  # not the bytes that the link was made for


def test_prometheus_sees_every_service_and_counts_calls(prometheus: str, client: Client) -> None:
    wait_for_scrapes(prometheus)
    assert set(query(prometheus, "up").values()) == {1.0}
    before = query(prometheus, RUNS).get("pipeline", 0)
    client.run(image=encode_png(nuclei_picture(seed=8)))
    wait_for_scrapes(prometheus)
    assert query(prometheus, RUNS)["pipeline"] == before + 1


def wait_for_scrapes(prometheus: str) -> None:
    """Wait until Prometheus has scraped every service again: it may keep values of an earlier deployment."""
    begin = time.time()
    while not all(query(prometheus, "timestamp(up)").get(service, 0) > begin for service in SERVICES):
        assert time.time() < begin + 60, "expected Prometheus to ask every service within a minute"
        time.sleep(1)


RUNS = 'sum by (service) (grpc_server_handled_total{grpc_method="Run", grpc_code="OK"})'


def query(prometheus: str, expression: str) -> dict[str, float]:
    """Values by service."""
    answer = urllib3.request("GET", f"{prometheus}/api/v1/query", fields={"query": expression}).json()
    return {one["metric"]["service"]: float(one["value"][1]) for one in answer["data"]["result"]}


def command_line(deployment: Deployment, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `biosynth` in the folder, as a caller of the deployment."""
    env = {**deployment.environment(), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def whole(outcome: RunOutcome) -> tuple[SegmentationResult, ReferenceResult, GenerationResult]:
    """Segmentation, reference and generation of a run, which one from an image has."""
    assert outcome.segmentation is not None
    assert outcome.reference is not None
    assert outcome.generation is not None
    return outcome.segmentation, outcome.reference, outcome.generation
