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
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import say
from tests.e2e.more_containers import NETWORK
from tests.e2e.quick_prometheus import FACTOR, MONITORING, UNCHANGED, QuickPrometheus, quick_prometheus
from tests.e2e.trials import Alert, Trial, trials

MOST_SECONDS = 600
# Their windows are many minutes even so: it is not waited for their end.
_LONG = {"BiosynthErrorBudgetBurnsFast", "BiosynthErrorBudgetBurnsSlowly",
         "BiosynthLatencyBudgetBurnsFast", "BiosynthLatencyBudgetBurnsSlowly", UNCHANGED}  # fmt: skip


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


def tried(trial: Trial, prometheus: QuickPrometheus) -> Iterator[Outcome]:
    """Cause the symptom until its alerts fire, take it back and wait until they end."""
    say(f"{trial.symptom}: expecting {', '.join(name for name, _ in trial.alerts)}")
    if early := prometheus.firing() & set(trial.alerts):
        sys.exit(f"expected none of its alerts before the symptom; these fire already: {sorted(early)}")
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
