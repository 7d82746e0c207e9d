"""Counts what every exchange and every attempt came to."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway import Event, Exchange, Outcome, Reasoning, Refusal, StreamObserver, Text, ToolCall, UsageRecord
from gateway.protocols import OBSERVED
from gateway_metrics.catalog import (
    ATTEMPTS,
    FIRST_TOKEN,
    INTER_TOKEN,
    PLUGIN_SECONDS,
    REASONS,
    REQUEST_SECONDS,
    REQUESTS,
    TOKENS,
)
from gateway_metrics.settings import Settings
from gateway_metrics.tally import Tally

_CONTENT: Final[frozenset[type[Event]]] = frozenset({Text, Reasoning, Refusal, ToolCall})
_OTHER: Final = "other"
_ERRORS: Final = 100
"""Error codes of a model with a label of their own: a mapper may make up its own."""
_Ended: TypeAlias = tuple[str, Outcome | None, int | None]


class Recorder:
    """Hears of every exchange once, at its end; only with `gaps = "each"` it looks at answers as they pass."""

    def __init__(self, settings: Settings) -> None:
        self._each = settings.gaps == "each"
        self.wants = _CONTENT if self._each else OBSERVED
        self._by_id = settings.model_label == "id"
        self._limit = settings.models
        self.count_in(Tally())  # of this worker alone, until it has joined the others

    def count_in(self, tally: Tally) -> None:
        """Count there from now on."""
        self.tally = tally
        self._ends: dict[_Ended, tuple[int, int]] = {}
        self._plugins: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._models: dict[tuple[str, str], _OfModel] = {}
        self._others: _OfModel | None = None

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None] | None:
        """Measure every gap, where that is asked for."""
        if not self._each:
            return None
        model = exchange.attempts[-1].model
        series = self._model(model.id if self._by_id else model.name, model.provider).gaps
        tally, last = self.tally, 0.0

        def tell(events: Sequence[Event]) -> None:
            nonlocal last
            now = time.perf_counter()
            if last:
                tally.observe(series, INTER_TOKEN, now - last)
            for _ in range(len(events) - 1):  # they came together
                tally.observe(series, INTER_TOKEN, 0.0)
            last = now

        return tell

    def settled(self, exchange: Exchange, records: Sequence[UsageRecord]) -> None:
        """Count the exchange, and each of its attempts."""
        tally = self.tally
        ended = exchange.surface, exchange.outcome, exchange.status
        count, seconds = self._ends.get(ended) or self._new_end(ended)
        tally.values[count] += 1
        tally.observe(seconds, REQUEST_SECONDS, time.monotonic() - exchange.started)
        names = tuple(exchange.timings)  # the same for nearly all: those of the plugins, in their order
        tally.observe_each(self._plugins.get(names) or self._new_plugins(names), exchange.timings.values())
        for attempt, record in zip(exchange.attempts, records, strict=True):
            model = self._model(record.model_id if self._by_id else record.model_name, record.provider)
            model.count(record, gap=not self._each)
            if attempt.first_content is not None:
                tally.observe(model.first, FIRST_TOKEN, attempt.first_content - exchange.started)

    def _model(self, model: str, provider: str) -> "_OfModel":
        found = self._models.get((model, provider))
        if found is None:
            # The registry's words, never a client's; and bounded, since users may have models of their own.
            if len(self._models) >= self._limit:
                self._others = self._others or _OfModel(self.tally, _OTHER, _OTHER)
                return self._others
            found = self._models[model, provider] = _OfModel(self.tally, model, provider)
        return found

    def _new_end(self, ended: _Ended) -> tuple[int, int]:
        surface, outcome, status = ended
        labels = surface, str(outcome)
        count = self.tally.series(REQUESTS, (*labels, "none" if status is None else str(status)))
        found = self._ends[ended] = count, self.tally.series(REQUEST_SECONDS, labels)
        return found

    def _new_plugins(self, names: tuple[str, ...]) -> tuple[int, ...]:
        stages = [name.partition(".") for name in names]
        found = tuple(self.tally.series(PLUGIN_SECONDS, (plugin, stage)) for stage, _, plugin in stages)
        self._plugins[names] = found
        return found


class _OfModel:
    """Where one model's numbers are."""

    __slots__ = ("_attempts", "_labels", "_reasons", "_tally", "_tokens", "first", "gaps")

    def __init__(self, tally: Tally, *labels: str) -> None:
        self._tally = tally
        self._labels = labels
        self.first = tally.series(FIRST_TOKEN, labels)
        self.gaps = tally.series(INTER_TOKEN, labels)
        self._attempts: dict[tuple[Outcome, str | None], int] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        self._reasons: dict[str, int] = {}

    def count(self, record: UsageRecord, *, gap: bool) -> None:
        """One attempt: how it ended, its tokens, and the mean gap between its content events if `gap`."""
        tally, provenance = self._tally, record.provenance
        values = tally.values
        ended = record.outcome, record.error_code
        series = self._attempts.get(ended)
        values[self._new_end(ended) if series is None else series] += 1
        series = self._reasons.get(record.reason)
        values[self._new_reason(record.reason) if series is None else series] += 1
        if record.input_tokens:
            values[self._of_tokens("input", provenance)] += record.input_tokens
        if record.output_tokens:
            values[self._of_tokens("output", provenance)] += record.output_tokens
        if record.cache_read_tokens:
            values[self._of_tokens("cache_read", provenance)] += record.cache_read_tokens
        if record.cache_write_tokens:
            values[self._of_tokens("cache_write", provenance)] += record.cache_write_tokens
        if record.reasoning_tokens:
            values[self._of_tokens("reasoning", provenance)] += record.reasoning_tokens
        if gap and record.deltas > 1 and record.first_content is not None:
            tally.observe(self.gaps, INTER_TOKEN, (record.duration - record.first_content) / (record.deltas - 1))

    def _of_tokens(self, kind: str, provenance: str) -> int:
        found = self._tokens.get((kind, provenance))
        if found is None:
            found = self._tokens[kind, provenance] = self._tally.series(TOKENS, (*self._labels, kind, provenance))
        return found

    def _new_reason(self, reason: str) -> int:
        series = self._reasons[reason] = self._tally.series(REASONS, (*self._labels, reason))
        return series

    def _new_end(self, ended: tuple[Outcome, str | None]) -> int:
        outcome, code = ended
        if len(self._attempts) >= _ERRORS:
            return self._tally.series(ATTEMPTS, (*self._labels, outcome.value, _OTHER))
        series = self._tally.series(ATTEMPTS, (*self._labels, outcome.value, code or "none"))
        self._attempts[ended] = series
        return series


if TYPE_CHECKING:
    _: type[StreamObserver] = Recorder
