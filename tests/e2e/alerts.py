"""`make test-alerts`: what can go wrong, done to the deployment of `make up`, until every alert has fired and ended.

A second Prometheus asks the same services by the same rules, but for windows and `for:`, divided by FACTOR. Made up are
only a GPU's exporter, and a MinIO of 64 MiB beside the deployment's. Not for a deployment that others use.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from services.cli.composition import SERVICES
from tests.e2e import symptoms
from tests.e2e.deployment import Deployment
from tests.e2e.evaluations import damaged, evaluated_long_ago, noise_evaluated
from tests.e2e.kubectl import say
from tests.e2e.more_containers import NETWORK, full_minio, idle_gpu, second_generator_with_a_model_more
from tests.e2e.quick_prometheus import FACTOR, MONITORING, UNCHANGED, QuickPrometheus, quick_prometheus

Alert = tuple[str, str]  # name and severity
CRITICAL, WARNING = "critical", "warning"
MOST_SECONDS = 600
# Their windows are many minutes even so: it is not waited for their end.
_LONG = {"BiosynthErrorBudgetBurnsFast", "BiosynthErrorBudgetBurnsSlowly",
         "BiosynthLatencyBudgetBurnsFast", "BiosynthLatencyBudgetBurnsSlowly", UNCHANGED}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A symptom, in words; what causes it while it is open; and the alerts that must fire."""

    symptom: str
    cause: Callable[[], AbstractContextManager[object]]
    alerts: Sequence[Alert]


@dataclass(frozen=True)
class Outcome:
    """Seconds from the symptom's begin to the alert, from its end to the alert's; None: not seen, or not waited for."""

    alert: Alert
    symptom: str
    fired: float | None
    ended: float | None


def main() -> None:
    """Try each; ends with an exit code other than 0 where an alert did not fire, or one was not tried."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="tag of the images")
    parser.add_argument("--secrets", type=Path, required=True)
    parser.add_argument("--endpoint", default="127.0.0.1:50051")
    parser.add_argument("--store", default="http://127.0.0.1:9000")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="alerts whose names have it in them")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that all is taken back
    deployment = Deployment(arguments.endpoint, arguments.secrets.resolve(), arguments.store)
    with quick_prometheus(arguments.version, NETWORK) as prometheus:
        chosen = [
            trial
            for trial in trials(deployment, arguments.version, prometheus)
            if any(word in name for name, _ in trial.alerts for word in arguments.only)
        ]
        outcomes = [outcome for trial in chosen for outcome in tried(trial, prometheus)]
    tell(outcomes)
    lacking = {outcome.alert for outcome in outcomes if outcome.fired is None}
    if arguments.only == [""]:
        lacking |= every_alert() - {outcome.alert for outcome in outcomes}
    if lacking:
        sys.exit(f"expected every alert to fire; these did not: {sorted(lacking)}")


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
            [("BiosynthQueueSaturated", WARNING), ("BiosynthQueueStalled", CRITICAL),
             ("BiosynthLatencyBudgetBurnsFast", CRITICAL), ("BiosynthLatencyBudgetBurnsSlowly", WARNING)]),
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


def tried(trial: Trial, prometheus: QuickPrometheus) -> Iterator[Outcome]:
    """Cause the symptom until its alerts fire, take it back and wait until they end."""
    say(f"{trial.symptom}: expecting {', '.join(name for name, _ in trial.alerts)}")
    begin = time.monotonic()
    with trial.cause():
        fired = seconds_until(lambda alert: alert in prometheus.firing(), trial.alerts, begin)
    begin = time.monotonic()
    short = [alert for alert in trial.alerts if alert[0] not in _LONG and alert in fired]
    ended = seconds_until(lambda alert: alert not in prometheus.firing(), short, begin)
    for alert in trial.alerts:
        yield Outcome(alert, trial.symptom, fired.get(alert), ended.get(alert))


def seconds_until(is_so: Callable[[Alert], bool], alerts: Sequence[Alert], begin: float) -> dict[Alert, float]:
    """When it was so first, of each alert of which it was within the time."""
    found: dict[Alert, float] = {}
    while len(found) < len(alerts) and time.monotonic() - begin < MOST_SECONDS:
        for alert in alerts:
            if alert not in found and is_so(alert):
                found[alert] = time.monotonic() - begin
                say(f"{' '.join(alert)}: {found[alert]:.0f} s")
        time.sleep(1)
    return found


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


def every_alert() -> set[Alert]:
    """Those of the deployment's rules."""
    groups = [
        group for path in (MONITORING / "rules").glob("*.yaml") for group in yaml.safe_load(path.read_text())["groups"]
    ]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {(rule["alert"], rule["labels"]["severity"]) for rule in rules}


def tell(outcomes: Sequence[Outcome]) -> None:
    """The table."""
    print(f"\nWindows and `for:` divided by {FACTOR}:\n")
    print("| alert | severity | symptom | fired after | ended after |\n|---|---|---|---|---|")
    for one in outcomes:
        fired = "never" if one.fired is None else f"{one.fired:.0f} s"
        ended = "not seen" if one.ended is None else f"{one.ended:.0f} s"
        print(f"| {one.alert[0]} | {one.alert[1]} | {one.symptom} | {fired} | {ended} |")


if __name__ == "__main__":
    main()
