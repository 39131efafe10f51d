"""The whole path with images in a real S3 server, in and out by links, as a deployment has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from biosynth import BiosynthCallError, Client
from biosynth.v1.pipeline_pb2 import RunRequest
from biosynth.v1.types_pb2 import Content, Delivery

from services.common.imaging.images import decode_image, encode_png
from services.common.storage.config import StoreConfig
from services.common.storage.s3 import S3Store
from tests.integration.services.conftest import stack
from tests.support import s3_servers
from tests.support.pictures import nuclei_picture


@pytest.fixture(scope="module")
def s3_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConfig]:
    with s3_servers.seaweedfs(tmp_path_factory.mktemp("weed")) as server:
        yield StoreConfig(
            server.endpoint, server.endpoint, server.bucket, server.region, server.access_key, server.secret_key
        )


@pytest.fixture(scope="module")
def s3_client(s3_config: StoreConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with stack(S3Store(s3_config), tmp_path_factory.mktemp("s")) as client:
        yield client


def test_an_image_goes_in_and_the_results_come_out_by_links(s3_client: Client, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(nuclei_picture()))
    ref = s3_client.upload(path)
    assert ref.key == f"inputs/{ref.sha256}.png"
    request = RunRequest(image=Content(object=ref), delivery=Delivery.DELIVERY_OBJECT)
    [result] = [response.result for response in s3_client.pipeline.Run(request) if response.HasField("result")]
    generated = s3_client.download(result.generation.image.object)
    assert decode_image(generated).shape == (192, 256)
    assert s3_client.upload(path) == ref  # once however often


def test_results_are_the_same_bytes_whatever_the_store(s3_client: Client, client: Client) -> None:
    over_s3, over_a_folder = (which.run(image=nuclei_picture(), seed=5) for which in (s3_client, client))
    assert over_s3.generation is not None and over_a_folder.generation is not None
    assert (over_s3.generation.image == over_a_folder.generation.image).all()


def test_a_store_that_refuses_the_service_is_no_fault_of_the_callers_and_is_logged(
    s3_config: StoreConfig, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    store = S3Store(replace(s3_config, secret_key=s3_config.secret_key[::-1]))
    with stack(store, tmp_path_factory.mktemp("s")) as client, pytest.raises(BiosynthCallError) as caught:
        client.segment(nuclei_picture())
    assert (caught.value.code.name, caught.value.reason) == ("UNAVAILABLE", "STORE_REFUSED")
    told = [record for record in caplog.records if "expected credentials for bucket" in record.message]
    assert told and {record.levelname for record in told} == {"ERROR"}
