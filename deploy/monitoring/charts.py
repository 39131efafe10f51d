"""What the dashboard shows: each chart's queries, unit and meaning. dashboard.py makes Grafana's JSON of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_OURS = 'grpc_service=~"biosynth.+", service=~"$service"'
_SERVICE = 'service=~"$service"'


@dataclass(frozen=True)
class Chart:
    """unit: as Grafana names it. queries: expressions by legend. limit: drawn as a line, in the chart's unit."""

    title: str
    meaning: str
    unit: str
    queries: Mapping[str, str]
    limit: float | None = None


def _rate(series: str, labels: str) -> str:
    return f"rate({series}{{{labels}}}[$__rate_interval])"


def _quantile(share: float, histogram: str, by: str, labels: str) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) ({_rate(histogram + '_bucket', labels)}))"


OBJECTIVES = (
    Chart("Calls", "Calls that ended, of each service.", "reqps",
          {"{{service}}": f"sum by (service) ({_rate('grpc_server_handled_total', _OURS)})"}),
    Chart("Failed by the server", "Share of calls in 5 minutes; 0.5 % is what the objective allows.", "percentunit",
          {"{{service}}": f"service:biosynth_call_errors:ratio_rate5m{{{_SERVICE}}}"}, 0.005),
    Chart("Slow", "Share of the calls that compute in 5 minutes; 5 % is what the objective allows.", "percentunit",
          {"{{service}}": f"service:biosynth_calls_slow:ratio_rate5m{{{_SERVICE}}}"}, 0.05),
    Chart("Calls without a result", "By reason (docs/errors.md), callers' mistakes too.", "reqps",
          {"{{reason}}": f"sum by (reason) ({_rate('biosynth_calls_failed_total', _OURS)})"}),
    Chart("Time of calls", "Of 20 calls, 19 took no longer.", "s",
          {"{{grpc_method}}": _quantile(0.95, "grpc_server_handling_seconds", "grpc_method", _OURS)}),
    Chart("Alerts that fire", "docs/runbooks.md says of each what to do.", "short",
          {"{{alertname}} {{service}}":
           'count by (alertname, service) (ALERTS{alertname=~"Biosynth.+", alertstate="firing"})'}),
)  # fmt: skip
LOAD = (
    Chart("Waiting and running", "Computations that wait for a thread and memory, and that have them.", "short",
          {"{{service}} waiting": f"sum by (service) (biosynth_computations_waiting{{{_SERVICE}}})",
           "{{service}} running": f"sum by (service) (biosynth_computations_running{{{_SERVICE}}})"}),
    Chart("Wait", "Of 10 computations, 9 waited no longer; an alert is at 10 s.", "s",
          {"{{service}}": f"service:biosynth_computation_wait_seconds:p90_5m{{{_SERVICE}}}"}, 10),
    Chart("Time of computations", "Of 10 that were done, 9 took no longer, reading and storing included.", "s",
          {"{{operation}}": _quantile(0.9, "biosynth_computation_seconds", "operation", _SERVICE)}),
    Chart("Results", "Delivered, by operation, computed or found in the store.", "ops",
          {"{{operation}} {{source}}":
           f"sum by (operation, source) ({_rate('biosynth_results_total', _SERVICE)})"}),
    Chart("Refused and abandoned", "Computations refused, by reason; and those whose callers left.", "ops",
          {"{{reason}}": f"sum by (reason) ({_rate('biosynth_computations_refused_total', _SERVICE)})",
           "abandoned": f"sum ({_rate('biosynth_computations_abandoned_total', _SERVICE)})"}),
    Chart("GPU", "Share of time that it computes, by NVIDIA's exporter; empty without one.", "percent",
          {"{{Hostname}} {{gpu}}": "avg by (Hostname, gpu) (DCGM_FI_DEV_GPU_UTIL)"}),
)  # fmt: skip
STORE = (
    Chart("Steps", "Decoding, coding and the store: of 10 files, 9 took no longer.", "s",
          {"{{step}}": _quantile(0.9, "biosynth_step_seconds", "step", _SERVICE)}),
    Chart("Bytes in flight", "Of requests in work and of large replies.", "bytes",
          {"{{service}}": f"sum by (service) (biosynth_in_flight_bytes{{{_SERVICE}}})"}),
    Chart("Room in MinIO", "Share that is free; an alert is at a tenth.", "percentunit",
          {"free": "minio_cluster_capacity_usable_free_bytes / minio_cluster_capacity_usable_total_bytes"}, 0.1),
)  # fmt: skip
HEALTH = (
    Chart("Replicas", "That answer Prometheus.", "short",
          {"{{service}}": 'sum by (service) (up{job=~"biosynth|minio"})'}),
    Chart("Processors", "Cores in use.", "short",
          {"{{service}}": f"sum by (service) ({_rate('process_cpu_seconds_total', _SERVICE)})"}),
    Chart("Memory", "Held by the processes.", "bytes",
          {"{{service}}": f"sum by (service) (process_resident_memory_bytes{{{_SERVICE}}})"}),
    Chart("Models in memory", "Replicas that have each of them.", "short",
          {"{{model}}/{{version}}": "sum by (model, version) (biosynth_model_loaded)"}),
    Chart("Certificates and tokens", "Seconds until they end; an alert is at 14 days, of tokens at 7. Tokens "
          "without an end are not shown.", "s",
          {"certificate, {{service}} as {{use}}":
           f"min by (service, use) (biosynth_tls_certificate_not_after_timestamp_seconds{{{_SERVICE}}}) - time()",
           "token, {{service}} as {{use}}":
           f"min by (service, use) (biosynth_token_not_after_timestamp_seconds{{{_SERVICE}}} < +Inf) - time()"},
          14 * 86400),
    Chart("Models beside real images", "Last evaluation: distance of spectra, as a multiple of that between real "
          "images; an alert is at 1.5.", "short",
          {"{{model}}/{{version}}": "max by (model, version) "
           '(biosynth_evaluation_value{metric="spectrum_distance"} / biosynth_evaluation_ceiling)'}, 1.5),
)  # fmt: skip

ROWS: Mapping[str, Sequence[Chart]] = {
    "Objectives": OBJECTIVES,
    "Load": LOAD,
    "Store": STORE,
    "Health and quality": HEALTH,
}
