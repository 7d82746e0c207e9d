"""What is known of upstreams: who cools down, and until when."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gateway.domain import Model
from gateway.errors import GatewayError, UpstreamError, UpstreamFault
from gateway.protocols import Cooling

TRIP_AFTER = 3
"""Failures in a row after which an upstream cools down."""
COOL_DOWN, LONGEST = 1.0, 30.0
"""Seconds: the first cool-down, doubled with each failure more, and the longest."""
REMEMBERED = 10_000
"""Upstreams; the longest unused one is forgotten first."""


class _State:
    __slots__ = ("cooling_until", "failures", "held_until", "model", "provider")

    def __init__(self, model: Model) -> None:
        self.model, self.provider = model.name, model.provider
        self.failures = 0
        self.cooling_until = 0.0
        self.held_until = 0.0
        """A 429 said `Retry-After`: no new exchange before then."""


class Health:
    """Chooses between targets, and never refuses a route's last one; keyed by `Model.health_key`.

    The one exception: while every target's own `Retry-After` runs, new exchanges are told to wait as well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: OrderedDict[bytes, _State] = OrderedDict()

    def order(self, targets: Sequence[Model]) -> Sequence[Model]:
        """The targets in their order, those cooling down last."""
        if len(targets) == 1:
            return targets
        return sorted(targets, key=self.cooling)

    def cooling(self, model: Model) -> bool:
        """Whether the model failed lately and is better left alone."""
        return self._until(model) > self._clock()

    def in_flight(self, model: Model) -> int:
        """How many attempts at the model run now; not counted yet."""
        return 0

    def latency(self, model: Model) -> float | None:
        """Seconds to the first content, lately; not measured yet."""
        return None

    def held(self, targets: Sequence[Model]) -> float | None:
        """Seconds until the first of the targets may be asked again; None when one may be asked now."""
        if not self._states:
            return None
        now = self._clock()
        waits = [state.held_until - now if (state := self._states.get(m.health_key)) else 0.0 for m in targets]
        shortest = min(waits, default=0.0)
        return shortest if shortest > 0 else None

    def succeeded(self, model: Model) -> None:
        """The model answered; a `Retry-After` that it told somebody else since this answer began still runs."""
        if not self._states or (state := self._states.pop(model.health_key, None)) is None:
            return
        if state.held_until > self._clock():
            state.failures, state.cooling_until = 0, state.held_until
            self._states[model.health_key] = state

    def failed(self, model: Model, error: GatewayError) -> None:
        """The attempt failed; a client's own mistake (4xx) does not count against the model."""
        if not isinstance(error, UpstreamFault):
            return
        status = error.status if isinstance(error, UpstreamError) else None
        if status is not None and status < 500 and status not in (401, 403, 408, 429):
            return
        state = self._states.setdefault(model.health_key, _State(model))
        self._states.move_to_end(model.health_key)
        if len(self._states) > REMEMBERED:
            self._states.popitem(last=False)
        now = self._clock()
        if status == 429:
            if error.retry_after is not None:
                state.held_until = max(state.held_until, now + error.retry_after)
            state.cooling_until = max(state.cooling_until, now + (error.retry_after or COOL_DOWN))
            return
        state.failures += 1
        if status in (401, 403):
            state.cooling_until = now + LONGEST
        elif state.failures >= TRIP_AFTER:
            state.cooling_until = now + min(LONGEST, COOL_DOWN * 2 ** min(state.failures - TRIP_AFTER, 10))

    def report(self) -> list[Cooling]:
        """Everything that cools down now."""
        now = self._clock()
        return [
            Cooling(model=state.model, provider=state.provider, seconds=state.cooling_until - now)
            for state in self._states.values()
            if state.cooling_until > now
        ]

    def _until(self, model: Model) -> float:
        state = self._states.get(model.health_key)
        return state.cooling_until if state else 0.0
