"""Counts what every exchange and every attempt came to."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gateway import Event, Exchange, Reasoning, Refusal, StreamObserver, Text, ToolCall, UsageRecord
from gateway.protocols import OBSERVED
from gateway_metrics.catalog import (
    ATTEMPTS,
    FIRST_TOKEN,
    INTER_TOKEN,
    PLUGIN_SECONDS,
    REQUEST_SECONDS,
    REQUESTS,
    TOKENS,
)
from gateway_metrics.settings import Settings
from gateway_metrics.tally import Tally

_CONTENT: Final[frozenset[type[Event]]] = frozenset({Text, Reasoning, Refusal, ToolCall})
_ERRORS: Final = 100
"""Error codes with a label of their own: a mapper may make up its own."""


class Recorder:
    """Hears of every exchange once, at its end; only with `gaps = "each"` it looks at answers as they pass."""

    def __init__(self, settings: Settings) -> None:
        self._each = settings.gaps == "each"
        self.wants = _CONTENT if self._each else OBSERVED
        self._by_id = settings.model_label == "id"
        self._models = _Bounded(settings.models)
        self._errors = _Bounded(_ERRORS)
        self.tally = Tally()
        """Of this worker alone until it has joined the others."""

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None] | None:
        """Measure every gap, where that is asked for."""
        if not self._each:
            return None
        model = exchange.attempts[-1].model
        labels = self._model(model.id if self._by_id else model.name, model.provider)
        tally, last = self.tally, 0.0

        def tell(events: Sequence[Event]) -> None:
            nonlocal last
            now = time.perf_counter()
            if last:
                tally.observe(INTER_TOKEN, labels, now - last)
            for _ in range(len(events) - 1):  # they came together
                tally.observe(INTER_TOKEN, labels, 0.0)
            last = now

        return tell

    def settled(self, exchange: Exchange, records: Sequence[UsageRecord]) -> None:
        """Count the exchange, and each of its attempts."""
        tally = self.tally
        surface, outcome = exchange.surface, str(exchange.outcome)
        tally.add(REQUESTS, (surface, outcome, "none" if exchange.status is None else str(exchange.status)))
        tally.observe(REQUEST_SECONDS, (surface, outcome), time.monotonic() - exchange.started)
        for record in records:
            self._attempt(record)
        for name, seconds in exchange.timings.items():
            stage, _, plugin = name.partition(".")
            tally.observe(PLUGIN_SECONDS, (plugin, stage), seconds)
        if records and (first := exchange.attempts[-1].first_content) is not None:
            tally.observe(FIRST_TOKEN, self._labels(records[-1]), first - exchange.started)

    def _attempt(self, record: UsageRecord) -> None:
        tally, labels = self.tally, self._labels(record)
        error = self._errors(record.error_code) if record.error_code else "none"
        tally.add(ATTEMPTS, (*labels, record.outcome.value, error))
        for kind, tokens in (
            ("input", record.input_tokens),
            ("output", record.output_tokens),
            ("cache_read", record.cache_read_tokens),
            ("cache_write", record.cache_write_tokens),
            ("reasoning", record.reasoning_tokens),
        ):
            if tokens:
                tally.add(TOKENS, (*labels, kind, record.provenance), tokens)
        if not self._each and record.first_content is not None and record.deltas > 1:
            gap = (record.duration - record.first_content) / (record.deltas - 1)
            tally.observe(INTER_TOKEN, labels, gap)

    def _labels(self, record: UsageRecord) -> tuple[str, str]:
        return self._model(record.model_id if self._by_id else record.model_name, record.provider)

    def _model(self, model: str, provider: str) -> tuple[str, str]:
        # The registry's words, never a client's; and bounded, since users may have models of their own.
        label = self._models(model)
        return (label, provider) if label is model else (label, label)


class _Bounded:
    """Keeps a label from growing without end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value itself, or `other` when there are too many."""
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return "other"
        self._known.add(value)
        return value


if TYPE_CHECKING:
    _: type[StreamObserver] = Recorder
