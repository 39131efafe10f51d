"""When certificates and tokens end, as Prometheus is shown it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

from services.common.serving.auth import BearerToken
from services.common.serving.config import CallerConfig
from services.common.serving.expiry_metrics import show_ends_of_caller
from services.common.serving.metrics import Metrics
from tests.support.certificates import Authority, needs_openssl

END = datetime(2027, 1, 31, tzinfo=UTC).timestamp()
EXPIRED = datetime(2020, 1, 2, tzinfo=UTC).timestamp()


def shown(metrics: Metrics, what: str, use: str) -> float | None:
    return metrics.registry.get_sample_value(f"biosynth_{what}_not_after_timestamp_seconds", {"use": use})


def test_a_server_shows_until_when_any_token_is_accepted(tmp_path: Path) -> None:
    (path := tmp_path / "token").write_text("new 2027-01-31T00:00:00Z\nformer 2026-01-31T00:00:00Z\n")
    metrics, interceptor = Metrics(), BearerToken(path)
    metrics.expiry.token("server", interceptor.end)
    assert shown(metrics, "token", "server") == END
    path.write_text("new 2027-01-31T00:00:00Z\nnewest\n")
    assert shown(metrics, "token", "server") == math.inf


def test_a_client_shows_the_end_of_the_token_that_it_sends(tmp_path: Path) -> None:
    (path := tmp_path / "token").write_text("sent 2027-01-31T00:00:00Z\nfor-others\n")
    metrics = Metrics()
    show_ends_of_caller(metrics.expiry, CallerConfig(token_file=path))
    assert shown(metrics, "token", "client") == END
    assert shown(metrics, "tls_certificate", "client") is None


@needs_openssl
def test_a_renewed_certificate_shows_at_once_and_a_broken_one_has_no_end(tmp_path: Path) -> None:
    authority, metrics = Authority.create(tmp_path), Metrics()
    path = authority.issue("server", expired=True).certificate
    metrics.expiry.certificate("server", path.read_bytes)
    assert shown(metrics, "tls_certificate", "server") == EXPIRED
    authority.issue("server")
    assert (shown(metrics, "tls_certificate", "server") or 0) > EXPIRED
    path.write_text("half of a certificate")
    assert shown(metrics, "tls_certificate", "server") is None
    path.unlink()
    assert shown(metrics, "tls_certificate", "server") is None
