"""When certificates and tokens end, looked up whenever Prometheus asks: a file may be another since the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.serving.certificates import not_after
from services.common.serving.config import CallerConfig
from services.common.serving.tokens import TokenFile

End = Callable[[], datetime | None]


class ExpiryMetrics(Collector):
    """Gauges of ends, in seconds since 1970.

    use, one of two values of the label: `server` for what this server shows its callers or asks of them, `client` for
    what it shows or sends to other services.
    """

    def __init__(self) -> None:
        self._certificates: dict[str, Callable[[], bytes]] = {}
        self._tokens: dict[str, End] = {}

    def certificate(self, use: str, read: Callable[[], bytes]) -> None:
        """read: the PEM bytes as they are used now; where it raises OSError, no end is shown."""
        self._certificates[use] = read

    def token(self, use: str, end: End) -> None:
        """end: from when on the token is refused; None: never, which is shown as +Inf."""
        self._tokens[use] = end

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector.collect; called from Prometheus' thread."""
        certificate = GaugeMetricFamily(
            "biosynth_tls_certificate_not_after_timestamp_seconds",
            "When the certificate ends, or the first of its chain.",
            labels=("use",),
        )
        for use, read in self._certificates.items():
            try:
                certificate.add_metric((use,), not_after(read()).timestamp())
            except (OSError, ValueError):  # the server goes on with the former one, and has logged it
                continue
        token = GaugeMetricFamily(
            "biosynth_token_not_after_timestamp_seconds", "When the token ends; +Inf: never.", labels=("use",)
        )
        for use, end in self._tokens.items():
            moment = end()
            token.add_metric((use,), math.inf if moment is None else moment.timestamp())
        return certificate, token


def show_ends_of_caller(expiry: ExpiryMetrics, caller: CallerConfig) -> None:
    """Show when what this service authenticates itself with to others ends. Raises ConfigError, OSError."""
    if caller.tls is not None and caller.tls.certificate is not None:
        read_at_start = caller.tls.certificate.read_bytes()  # as the channels do: a new file counts after a restart
        expiry.certificate("client", lambda: read_at_start)
    if caller.token_file is not None:
        tokens = TokenFile("BIOSYNTH_ENDPOINT_TOKEN_FILE", caller.token_file)
        expiry.token("client", lambda: tokens.tokens()[0].end)
