"""What is done to a deployment by compose, and which alerts must fire then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from services.cli.composition import SERVICES
from tests.e2e import symptoms
from tests.e2e.deployment import Deployment
from tests.e2e.evaluations import damaged, evaluated_long_ago, noise_evaluated
from tests.e2e.more_containers import full_minio, idle_gpu, second_generator_with_a_model_more
from tests.e2e.quick_prometheus import QuickPrometheus

Alert = tuple[str, str]  # name and severity
CRITICAL, WARNING = "critical", "warning"


@dataclass(frozen=True)
class Trial:
    """A symptom, in words; what causes it while it is open; and the alerts that must fire."""

    symptom: str
    cause: Callable[[], AbstractContextManager[object]]
    alerts: Sequence[Alert]


def trials(deployment: Deployment, version: str, prometheus: QuickPrometheus) -> list[Trial]:
    """All of them, in the order in which they are done."""
    secrets = deployment.secrets
    calls = partial(symptoms.calls, deployment)
    certificate, token = secrets / "tls" / "tls.crt", secrets / "token" / "token"
    return [
        Trial("a certificate of one day", lambda: symptoms.replaced(
            certificate, symptoms.soon_ending_certificate(secrets)), both("BiosynthCertificateEnds")),
        Trial("a token that ends in 12 hours", lambda: symptoms.replaced(
            token, symptoms.soon_ending_token(secrets)), both("BiosynthTokenEnds")),
        Trial("reference is stopped", lambda: symptoms.stopped("reference"), [("BiosynthTargetDown", CRITICAL)]),
        Trial("the gateway is stopped", lambda: symptoms.stopped("gateway"), [("BiosynthTargetDown", CRITICAL)]),
        Trial("reference is no target", lambda: unknown(prometheus, "reference"),
              [("BiosynthServiceAbsent", CRITICAL)]),
        Trial("reference is restarted three times", lambda: symptoms.restarted(prometheus, "reference", 3),
              [("BiosynthRestarts", WARNING)]),
        Trial("a model pushed late is in one of two replicas", lambda: second_generator_with_a_model_more(deployment),
              [("BiosynthModelNotLoaded", CRITICAL)]),
        Trial("a disk of 64 MiB has 60 in use (a MinIO beside)", lambda: full_minio(version, secrets),
              [("BiosynthStoreAlmostFull", CRITICAL)]),
        Trial("an evaluated model draws noise", lambda: noise_evaluated(deployment),
              [(name, WARNING) for name in ("BiosynthSpectrumDrift", "BiosynthFidelityDrift", "BiosynthEasilyTold")]),
        Trial("the last evaluation is 40 days old", lambda: evaluated_long_ago(deployment),
              [("BiosynthEvaluationOld", WARNING)]),
        Trial("a record of an evaluation is damaged", lambda: damaged(deployment),
              [("BiosynthEvaluationUnreadable", WARNING)]),
        Trial("segmentation has 0.1 cores for 12 callers", lambda: together(
            symptoms.slowed("segmentation", "0.1"), calls(symptoms.segment, 12, 300)),
            [("BiosynthQueueSaturated", WARNING), ("BiosynthLatencyBudgetBurnsFast", CRITICAL),
             ("BiosynthLatencyBudgetBurnsSlowly", WARNING)]),
        Trial("segmentation has 0.2 cores for 8 images of 9 megapixels", lambda: together(
            symptoms.slowed("segmentation", "0.2"), calls(symptoms.segment_large, 8, 300)),
            [("BiosynthQueueStalled", CRITICAL)]),
        Trial("segmentation has 0.3 cores, and 12 callers wait 3 s each", lambda: together(
            symptoms.slowed("segmentation", "0.3"), calls(symptoms.segment, 12, 3)),
            [("BiosynthOverloaded", WARNING)]),
        Trial("generation has 0.1 cores, a GPU is idle (made up)", lambda: together(
            idle_gpu(version), symptoms.slowed("generation", "0.1"), calls(symptoms.generate, 12, 300)),
            [("BiosynthGpuIdle", WARNING)]),
        Trial("MinIO is stopped under load", lambda: together(
            symptoms.stopped("minio"), calls(symptoms.segment, 4, 30)),
            [("BiosynthStoreErrors", CRITICAL), ("BiosynthErrorBudgetBurnsFast", CRITICAL),
             ("BiosynthErrorBudgetBurnsSlowly", WARNING)]),
    ]  # fmt: skip


@contextmanager
def unknown(prometheus: QuickPrometheus, service: str) -> Iterator[None]:
    """Prometheus is told nothing of the service."""
    prometheus.reconfigure(tuple(name for name in SERVICES if name != service))
    try:
        yield
    finally:
        prometheus.reconfigure(SERVICES)


@contextmanager
def together(*causes: AbstractContextManager[object]) -> Iterator[None]:
    """All of these at once."""
    with ExitStack() as stack:
        for cause in causes:
            stack.enter_context(cause)
        yield


def both(name: str) -> list[Alert]:
    return [(name, WARNING), (name, CRITICAL)]
