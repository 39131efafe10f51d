"""One address for all services: what comes through nginx as it ships, and what it answers itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import urllib3
from biosynth import BiosynthCallError, Client
from biosynth.contract import MIB
from biosynth.v1.evaluation_pb2 import ComparePairRequest, CompareSetsRequest
from biosynth.v1.types_pb2 import Content
from prometheus_client.parser import text_string_to_metric_families

from services.cli.background import in_background
from services.common.imaging.images import encode_png
from services.common.serving.config import ServerConfig, TlsFiles
from services.common.serving.server import running
from tests.integration.gateway.conftest import NOWHERE, TOKEN, Behind
from tests.support.calls import LISTING, code
from tests.support.certificates import Authority, needs_openssl
from tests.support.gateway import needs_nginx
from tests.support.pictures import nuclei_picture

pytestmark = [needs_nginx, needs_openssl]
Code = grpc.StatusCode
WRONG = "a-wrong-token"


def test_one_address_is_enough_for_every_service(behind: Behind) -> None:
    picture, stages = nuclei_picture(), []
    with behind.client() as client:
        outcome = client.run(image=encode_png(picture), on_progress=lambda progress: stages.append(progress.stage))
        found = client.segment(picture)
        drawn = client.render(found, schema="nuclei3")
        assert client.generate(drawn.reference, model="fluo-nuclei", like=picture).image.shape == picture.shape
        assert client.compare(picture, picture) == ()
    assert len(set(stages)) == 4
    assert outcome.generation is not None and outcome.generation.image.shape == picture.shape


def test_the_deadline_and_the_metadata_reach_the_service_as_they_were(behind: Behind) -> None:
    sent: dict[str, str | bytes] = {
        "x-request-id": "request-7",
        "with_underscore": "a",
        "with.dot": "b",
        "some-bin": b"\x00\xff",
    }
    with behind.client() as client:
        client.evaluation.ComparePair(ComparePairRequest(), timeout=77, metadata=tuple(sent.items()))
    assert 70 < behind.witness.seconds_left <= 77
    assert sent.items() <= behind.witness.metadata.items()


def test_the_log_has_the_request_id_whether_the_caller_or_the_service_made_it(behind: Behind) -> None:
    with behind.client() as client:
        client.evaluation.ComparePair(ComparePairRequest(), metadata=(("x-request-id", "of-the-caller"),))
        _, call = client.evaluation.ComparePair.with_call(ComparePairRequest())
    made = str(dict(call.trailing_metadata())["x-request-id"])
    assert made
    shown = {f'"request_id":"{request_id}"' for request_id in ("of-the-caller", made)}
    until(lambda: all(one in behind.gateway.log.read_text() for one in shown))


def test_prometheus_sees_that_it_is_up(behind: Behind) -> None:
    answer = urllib3.request("GET", f"{behind.gateway.health}/metrics")
    [family] = text_string_to_metric_families(answer.data.decode())
    assert (answer.headers["content-type"], family.name) == ("text/plain", "biosynth_gateway_serving")


def test_a_caller_who_leaves_ends_the_call_in_the_service(behind: Behind) -> None:
    for leave in ("cancels", "vanishes"):
        behind.witness.left.clear()
        with behind.client() as client:
            answers = client.evaluation.CompareSets(CompareSetsRequest())
            next(answers), next(answers)
            if leave == "cancels":
                answers.cancel()
            else:
                client.close()
            assert behind.witness.left.wait(2), leave


def test_the_deadline_of_a_stream_ends_it_here_and_in_the_service(behind: Behind) -> None:
    behind.witness.left.clear()
    with behind.client() as client, pytest.raises(BiosynthCallError) as caught:
        for _ in client.evaluation.CompareSets(CompareSetsRequest(), timeout=0.5):
            pass
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert behind.witness.left.wait(2)


def test_a_request_of_30_mib_passes(behind: Behind) -> None:
    with behind.client() as client:
        client.evaluation.ComparePair(request_of(30 * MIB))
    assert behind.witness.bytes_received > 30 * MIB


def test_a_request_over_the_services_limit_is_refused_by_the_service(behind: Behind) -> None:
    with behind.client() as client, pytest.raises(BiosynthCallError) as caught:
        client.evaluation.ComparePair(request_of(40 * MIB))
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")


@pytest.mark.parametrize("size", [0, 30 * MIB])
def test_a_wrong_token_is_refused_by_the_service_however_much_is_being_sent(behind: Behind, size: int) -> None:
    with behind.client(token=WRONG) as client, pytest.raises(BiosynthCallError) as caught:
        client.evaluation.ComparePair(request_of(size))
    assert (caught.value.code, caught.value.reason) == (Code.UNAUTHENTICATED, "UNAUTHENTICATED")


def test_a_refusal_comes_with_its_details(behind: Behind) -> None:
    with behind.client() as client, pytest.raises(BiosynthCallError) as caught:
        client.generate(nuclei_picture(), model="none-such")
    assert (caught.value.code, caught.value.reason) == (Code.NOT_FOUND, "UNKNOWN_NAME")
    assert caught.value.request_id


def test_a_service_that_does_not_answer_is_named_and_found_again_where_it_is_then(behind: Behind) -> None:
    name = "reference.test"
    behind.names[name] = NOWHERE
    with behind.client() as client:
        until(lambda: answer(client) is Code.UNAVAILABLE)
        with pytest.raises(BiosynthCallError, match="the reference service does not answer the gateway"):
            client.list_schemas()
        assert client.list_segmenters()  # the others go on
        del behind.names[name]
        until(lambda: answer(client) is Code.UNAVAILABLE and "could not be resolved" in behind.gateway.log.read_text())
        behind.names[name] = "127.0.0.2"
        until(lambda: answer(client) is Code.OK)


def test_a_service_whose_certificate_another_authority_signed_is_not_believed(behind: Behind, tmp_path: Path) -> None:
    issued = Authority.create(tmp_path / "theirs").issue("server", hosts=("reference",))
    config = ServerConfig(f"127.0.0.4:{behind.port}", tls=TlsFiles(issued.certificate, issued.key), drain_seconds=0.1)
    with behind.client() as client, in_background(lambda: running(config, [])):
        behind.names["reference.test"] = "127.0.0.4"
        until(lambda: answer(client) is Code.UNAVAILABLE)
        assert "upstream SSL certificate verify error" in behind.gateway.log.read_text()
        behind.names["reference.test"] = "127.0.0.2"
        until(lambda: answer(client) is Code.OK)


def test_a_service_that_is_lost_in_mid_answer_is_asked_again(behind: Behind) -> None:
    with behind.client() as once:
        answers = once.evaluation.CompareSets(CompareSetsRequest())
        next(answers)
        behind.way.cut()
        with pytest.raises(BiosynthCallError, match="INTERNAL CONNECTION_LOST"):
            list(answers)
    with behind.client(retries=1) as again:
        answers = again.evaluation.CompareSets(CompareSetsRequest())
        next(answers)
        behind.way.cut()
        assert len([next(answers) for _ in range(20)]) == 20
        answers.cancel()


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/biosynth.v1.OtherService/Call"])
def test_what_no_service_offers_is_unimplemented(behind: Behind, method: str) -> None:
    with grpc.secure_channel(behind.gateway.address, behind.tls().credentials()) as channel:
        assert code(channel, method, TOKEN) is Code.UNIMPLEMENTED


def test_without_a_certificate_a_caller_is_refused_where_one_is_asked_for(behind: Behind) -> None:
    stranger = grpc.ssl_channel_credentials(behind.ours.certificate.read_bytes())
    with grpc.secure_channel(behind.gateway.address, stranger) as channel:
        wanted = Code.OK if behind.caller is None else Code.UNAUTHENTICATED
        assert code(channel, LISTING, TOKEN) is wanted


def request_of(size: int) -> ComparePairRequest:
    """A request with that many bytes of pixels."""
    half = bytes(size // 2)
    return ComparePairRequest(real=Content(file=half), generated=Content(file=half))


def answer(client: Client) -> grpc.StatusCode:
    """How the reference service answers."""
    try:
        client.list_schemas()
    except BiosynthCallError as error:
        return error.code
    return Code.OK


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it: names are asked for again every two seconds."""
    end = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)
