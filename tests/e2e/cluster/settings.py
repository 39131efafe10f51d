"""Wrong settings, and what is said of them."""

from __future__ import annotations

from functools import partial

from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import events, kubectl, pods, say, until


def bad_settings_are_told(proof: Proof) -> None:
    """A wrong setting of one service shows in its pod, in plain words."""
    cases = {
        "BIOSYNTH_STORE_BUCKET=absent": "BIOSYNTH_STORE_BUCKET",
        "BIOSYNTH_STORE_ENDPOINT=http://nowhere:9000": "the object store does not answer",
        "BIOSYNTH_REFLECTION=true": "BIOSYNTH_REQUIRE_AUTH is on",
    }
    for setting, words in cases.items():
        kubectl("set", "env", "deployment/evaluation", setting, "BIOSYNTH_START_WAIT_SECONDS=2")
        said = until(f"with {setting} the pod says why it cannot start", partial(told, "evaluation", words))
        say(f"pod: {said}")
        kubectl("rollout", "undo", "deployment/evaluation")
        kubectl("rollout", "status", "deployment/evaluation", "--timeout=120s", quiet=True)
    kubectl("delete", "secret", "biosynth-store-reference")
    kubectl("delete", "pod", "--selector", "app.kubernetes.io/name=reference", "--wait=false")
    said = until(
        "without its Secret the pod's events say which one is missing",
        lambda: [text for pod in pods("reference") for text in events(pod) if "biosynth-store-reference" in text],
    )
    say(f"event: {said[0]}")
    proof.apply_secrets()
    kubectl("rollout", "status", "deployment/reference", "--timeout=180s")


def told(service: str, words: str) -> str:
    """The last line of the message with which this service's container ended, if it holds `words`; else empty."""
    for pod in pods(service):
        for status in pod["status"].get("containerStatuses", []):
            for state in (status["state"], status["lastState"]):
                if words in (text := state.get("terminated", {}).get("message", "")):
                    return str(text.strip().splitlines()[-1])
    return ""
