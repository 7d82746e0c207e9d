"""Every metric: its name, its labels and what it says."""

from typing import Final, Literal, TypeAlias

import msgspec

Across: TypeAlias = Literal["sum", "max", "min"]


class Metric(msgspec.Struct, frozen=True):
    """One metric family."""

    name: str
    """As it is shown."""
    kind: Literal["counter", "histogram", "summary", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Across = "sum"
    """How the workers' values of a gauge become one."""

    width: int = 0
    """How many numbers one series of it is: a histogram's buckets, the last without a bound, and its sum."""

    def __post_init__(self) -> None:
        width = len(self.buckets) + 2 if self.kind in ("histogram", "summary") else 1
        msgspec.structs.force_setattr(self, "width", width)


_MODEL: Final = ("model", "provider")
# OpenTelemetry's advice for `gen_ai.client.operation.duration`, `gen_ai.server.time_to_first_token` and
# `gen_ai.server.time_per_output_token`.
_DURATION: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_GAP: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS: Final = Metric(
    "gateway_requests_total",
    "counter",
    "Exchanges by the client's dialect, how they ended and the status line the client got (none: it got none).",
    ("surface", "outcome", "status"),
)
REQUEST_SECONDS: Final = Metric(
    "gateway_request_seconds", "histogram", "From a request's arrival to its end.", ("surface", "outcome"), _DURATION
)
FIRST_TOKEN: Final = Metric(
    "gateway_first_token_seconds",
    "histogram",
    "From a request's arrival to the first content of its answer, failed attempts included.",
    _MODEL,
    _FIRST,
)
INTER_TOKEN: Final = Metric(
    "gateway_inter_token_seconds",
    "histogram",
    "Between content events of an answer: the mean gap of each answer, or every gap (setting `gaps`).",
    _MODEL,
    _GAP,
)
TOKENS: Final = Metric(
    "gateway_tokens_total",
    "counter",
    "Tokens by type (input, output, and of these cache_read, cache_write, reasoning) and by who says so.",
    (*_MODEL, "token_type", "provenance"),
)
ATTEMPTS: Final = Metric(
    "gateway_attempts_total",
    "counter",
    "Calls to models by how they ended and the code of their error (none: there was none).",
    (*_MODEL, "outcome", "error_type"),
)
REASONS: Final = Metric(
    "gateway_attempt_reasons_total",
    "counter",
    "Calls to models by why they were made: first, retry (the same model again), failover (another), hedge (beside).",
    (*_MODEL, "reason"),
)
PLUGIN_SECONDS: Final = Metric(
    "gateway_plugin_seconds",
    "summary",
    "What plugins took of the exchanges before the upstream was called.",
    ("plugin", "stage"),
)
PLUGIN_ERRORS: Final = Metric(
    "gateway_plugin_errors_total", "counter", "Failures of plugins while serving.", ("plugin", "stage")
)
PLUGIN_QUARANTINED: Final = Metric(
    "gateway_plugin_quarantined",
    "gauge",
    "1 where a worker leaves a plugin out of a stage because it kept failing there; known once it failed.",
    ("plugin", "stage"),
    across="max",
)
PLUGIN_AILING: Final = Metric(
    "gateway_plugin_ailing",
    "gauge",
    "Workers in which a plugin does without something: limits without the server that counts for all.",
    ("plugin",),
)
IN_FLIGHT: Final = Metric("gateway_in_flight", "gauge", "Exchanges that run.")
IN_FLIGHT_LIMIT: Final = Metric(
    "gateway_in_flight_limit",
    "gauge",
    "How many may run now: `server.max_in_flight` of each worker, or fewer while its event loop is late.",
)
MODEL_COOLING: Final = Metric(
    "gateway_model_cooling_seconds",
    "gauge",
    "How long an upstream that failed is still avoided; absent when it is not.",
    _MODEL,
    across="max",
)
MODEL_CIRCUIT: Final = Metric(
    "gateway_model_circuit",
    "gauge",
    "Workers whose circuit for the model is open (left alone) or half_open (probed); absent when all are closed.",
    (*_MODEL, "state"),
)
MODEL_CREDENTIAL: Final = Metric(
    "gateway_model_credential",
    "gauge",
    "Workers that saw the model's credential refused, are probing it, or found it limited; absent when it is well.",
    (*_MODEL, "state"),
)
HEDGES: Final = Metric(
    "gateway_hedges_total",
    "counter",
    "Second attempts beside a slow first one: started, won (the second was first), refused (the budget was spent).",
    ("result",),
)
USAGE_WAITING: Final = Metric("gateway_usage_waiting", "gauge", "Usage records on their way to the sinks.")
USAGE_LAG: Final = Metric(
    "gateway_usage_lag_seconds",
    "gauge",
    "Since the oldest of these records was settled, of the worker that is furthest behind; 0 where there is none.",
    across="max",
)
USAGE_DROPPED: Final = Metric(
    "gateway_usage_dropped_total", "counter", "Usage records lost because the sinks were too slow."
)
LOOP_LAG: Final = Metric(
    "gateway_event_loop_lag_seconds",
    "histogram",
    "How much later than asked the event loop woke up, four times a second.",
    buckets=_LAG,
)
LOOP_LATE: Final = Metric(
    "gateway_loop_lag_seconds",
    "gauge",
    "How late the event loop is, of the worker that is latest; above `server.max_lag` fewer new requests are let in.",
    across="max",
)
TURNED_AWAY: Final = Metric(
    "gateway_turned_away_total", "counter", "Requests refused before they were read, because a worker carried too much."
)
STRANGERS: Final = Metric(
    "gateway_strangers_refused_total",
    "counter",
    "Requests refused before they were read, because their address had sent too many wrong credentials.",
)
SNAPSHOT_AGE: Final = Metric(
    "gateway_snapshot_age_seconds",
    "gauge",
    "Since the registry's database was last seen, of the worker that waits longest.",
    across="max",
)
DRAINING: Final = Metric("gateway_draining", "gauge", "Workers that take no new exchanges.")
GENERATION: Final = Metric(
    "gateway_generation", "gauge", "The generation that serves, of the worker that is furthest behind.", across="min"
)
WORKERS: Final = Metric("gateway_workers", "gauge", "Serving processes.")
BUILD: Final = Metric("gateway_build_info", "gauge", "1.", ("version", "api_version", "python"), across="max")
UNRECORDED: Final = Metric(
    "gateway_metrics_unrecorded_total", "counter", "Numbers lost because a worker's series were too many."
)

METRICS: Final = (
    *(REQUESTS, REQUEST_SECONDS, FIRST_TOKEN, INTER_TOKEN, TOKENS, ATTEMPTS, REASONS, HEDGES),
    *(IN_FLIGHT, IN_FLIGHT_LIMIT),
    *(MODEL_COOLING, MODEL_CIRCUIT, MODEL_CREDENTIAL),
    *(PLUGIN_SECONDS, PLUGIN_ERRORS, PLUGIN_QUARANTINED, PLUGIN_AILING),
    *(USAGE_WAITING, USAGE_LAG, USAGE_DROPPED, LOOP_LAG, SNAPSHOT_AGE, LOOP_LATE, TURNED_AWAY, STRANGERS),
    *(DRAINING, GENERATION, WORKERS, BUILD, UNRECORDED),
)


def markdown_table() -> str:
    """The metrics as the table of docs/metrics.md."""
    lines = ["| metric | type | labels | says |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"
