"""What is known of upstreams: who is better left alone, who answers how fast, who is asked now."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gateway.domain import Attempt, Model, Outcome
from gateway.errors import GatewayError
from gateway.protocols import Cooling, HealthView, ModelHealth
from gateway.routing.ailment import Ailment, ailment_of
from gateway.routing.circuit import CREDENTIAL, MODEL, Circuit, Rest
from gateway.routing.vitals import Vitals

REMEMBERED: Final = 10_000
"""Models, and credentials that are not well; the longest unused one is forgotten first."""
LONGEST_LIMIT: Final = 3600.0
"""Seconds of an upstream's `Retry-After` that are believed: then it is asked again, whatever it said."""

_Circuits = OrderedDict[bytes, Circuit]
_NOT_ITS_DOING: Final = (Outcome.CLIENT_ABORT, Outcome.CLIENT_SLOW, Outcome.SHUTDOWN, Outcome.SUPERSEDED)


class Health:
    """Chooses between targets, and never refuses a route's last one.

    Models are known by `Model.health_key`, credentials by `Model.tenant`, never by a row's id. The one exception to the
    rule: while every target's own `Retry-After` runs, new exchanges are told to wait as well. Only what is not well has
    a circuit, so that all being well costs next to nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._vitals: OrderedDict[bytes, Vitals] = OrderedDict()
        self._models: _Circuits = OrderedDict()
        self._credentials: _Circuits = OrderedDict()

    # -- choosing --

    def order(self, targets: Sequence[Model]) -> Sequence[Model]:
        """The targets in their order, those better left alone last."""
        if len(targets) == 1 or not (self._models or self._credentials):
            return targets
        return sorted(targets, key=self.cooling)

    def cooling(self, model: Model) -> bool:
        """Whether the model, or its credential, failed lately and is better left alone."""
        if not (self._models or self._credentials):
            return False
        now = self._clock()
        circuits = self._models.get(model.health_key), self._credentials.get(model.tenant)
        return any(circuit is not None and circuit.avoided(now) for circuit in circuits)

    def in_flight(self, model: Model) -> int:
        """How many attempts at the model run now, in this process."""
        vitals = self._vitals.get(model.health_key)
        return vitals.in_flight if vitals is not None else 0

    def latency(self, model: Model) -> float | None:
        """Seconds from the dial to the first content, lately; None = not known, or not any more."""
        vitals = self._vitals.get(model.health_key)
        return vitals.latency(self._clock()) if vitals is not None else None

    def held(self, model: Model) -> float:
        """Seconds of the model's own `Retry-After` that are left: it binds whoever has not begun."""
        circuit = self._models.get(model.health_key)
        return max(0.0, circuit.limited_until - self._clock()) if circuit is not None else 0.0

    def free(self, targets: Sequence[Model]) -> Sequence[Model]:
        """Those that nobody has to wait for; `targets` itself when that is all of them."""
        if not self._models:
            return targets
        free = [model for model in targets if not self.held(model)]
        return targets if len(free) == len(targets) else free

    # -- what happens to attempts --

    def began(self, attempt: Attempt) -> None:
        """The attempt is about to dial."""
        model = attempt.model
        vitals = self._vitals.get(model.health_key)
        if vitals is None:
            vitals = self._vitals[model.health_key] = Vitals(model)
            if len(self._vitals) > REMEMBERED:
                self._vitals.popitem(last=False)
        else:
            self._vitals.move_to_end(model.health_key)
        vitals.in_flight += 1
        if self._models or self._credentials:
            now = self._clock()
            for circuit in self._circuits(model):
                circuit.began(attempt, now)

    def answered(self, attempt: Attempt) -> None:
        """Its first content is there."""
        assert attempt.first_content is not None
        model = attempt.model
        vitals = self._vitals.get(model.health_key)
        if vitals is not None:
            vitals.measure(attempt.first_content - attempt.started, self._clock())
        if self._models or self._credentials:
            for circuit in self._circuits(model):
                circuit.answered(attempt)

    def settled(self, attempt: Attempt) -> None:
        """It has ended, however: call it once for every attempt that began."""
        model = attempt.model
        vitals = self._vitals.get(model.health_key)
        if vitals is not None and vitals.in_flight:
            vitals.in_flight -= 1
        ailment = _ailment(attempt)
        if ailment is not None and attempt.error is not None:
            self._failed(attempt, ailment, attempt.error)
        elif self._models or self._credentials:
            self._passed(attempt)

    # -- telling --

    def of(self, model: Model) -> ModelHealth:
        """What is known of this model."""
        vitals = self._vitals.get(model.health_key)
        return self._told(model.health_key, vitals or Vitals(model), self._clock(), model)

    def known(self) -> list[ModelHealth]:
        """Every model that was asked since the start, as far as it is remembered."""
        now = self._clock()
        return [self._told(key, vitals, now) for key, vitals in self._vitals.items()]

    def report(self) -> list[ModelHealth]:
        """Every model that is not well, or whose credential is not."""
        if not (self._models or self._credentials):
            return []
        now = self._clock()
        unwell = [
            self._told(key, vitals, now)
            for key, vitals in self._vitals.items()
            if key in self._models or vitals.tenant in self._credentials
        ]
        return [one for one in unwell if one.failures or one.state != "closed" or one.credential != "ok" or one.held]

    def resting(self) -> list[Cooling]:
        """Every model that is left alone now, and for how long."""
        return [
            Cooling(model=one.model, provider=one.provider, seconds=one.cooling) for one in self.report() if one.cooling
        ]

    def _told(self, key: bytes, vitals: Vitals, now: float, model: Model | None = None) -> ModelHealth:
        own, shared = self._models.get(key), self._credentials.get(vitals.tenant)
        credential = "ok"
        if shared is not None:
            limited = "limited" if shared.limited_until > now else "ok"
            credential = {"closed": limited, "open": "refused", "half_open": "probing"}[shared.state(now)]
        return ModelHealth(
            id=model.id if model is not None else vitals.id,
            model=model.name if model is not None else vitals.model,
            provider=vitals.provider,
            state=own.state(now) if own is not None else "closed",
            credential=credential,  # type: ignore[arg-type]
            failures=own.failures if own is not None else 0,
            cooling=max(one.seconds(now) if one is not None else 0.0 for one in (own, shared)),
            held=max(0.0, own.limited_until - now) if own is not None else 0.0,
            in_flight=vitals.in_flight,
            latency=vitals.latency(now),
            last_error=next((one.ailment.value for one in (own, shared) if one is not None and one.ailment), None),
        )

    # -- the circuits --

    def _failed(self, attempt: Attempt, ailment: Ailment, error: GatewayError) -> None:
        now, model = self._clock(), attempt.model
        if ailment is Ailment.CREDENTIAL:
            _release(self._models, model.health_key, attempt)
            circuit = _circuit(self._credentials, model.tenant, CREDENTIAL)
            circuit.ailment = ailment
            circuit.failed(attempt, now)
            return
        _release(self._credentials, model.tenant, attempt)
        circuit = _circuit(self._models, model.health_key, MODEL)
        circuit.ailment = ailment
        if ailment is Ailment.LIMIT and error.retry_after is not None:
            circuit.released(attempt)
            circuit.limited(now + min(error.retry_after, LONGEST_LIMIT))
            self._share_limit(model, circuit, now)
            return
        at_once = ailment in (Ailment.LIMIT, Ailment.MISCONFIGURED)
        circuit.failed(attempt, now, at_once=at_once, rest=min(error.retry_after or 0.0, LONGEST_LIMIT))

    def _share_limit(self, model: Model, circuit: Circuit, now: float) -> None:
        """When two models of one credential are at their limits, it is the credential's: the others rest as well."""
        for key, other in self._models.items():
            if other is circuit or other.limited_until <= now:
                continue
            vitals = self._vitals.get(key)
            if vitals is not None and vitals.tenant == model.tenant:
                shared = _circuit(self._credentials, model.tenant, CREDENTIAL)
                shared.ailment = Ailment.LIMIT
                shared.limited(min(other.limited_until, circuit.limited_until))

    def _passed(self, attempt: Attempt) -> None:
        """It succeeded, or says nothing."""
        now, model = self._clock(), attempt.model
        for circuits, key in ((self._models, model.health_key), (self._credentials, model.tenant)):
            circuit = circuits.get(key)
            if circuit is None:
                continue
            if attempt.heard_out:
                circuit.succeeded(attempt)
            else:
                circuit.released(attempt)
            if circuit.is_well(now):
                del circuits[key]

    def _circuits(self, model: Model) -> Iterator[Circuit]:
        for circuit in (self._models.get(model.health_key), self._credentials.get(model.tenant)):
            if circuit is not None:
                yield circuit


def _ailment(attempt: Attempt) -> Ailment | None:
    """What the attempt's end says against its upstream: nothing where the client, or we, ended it."""
    if attempt.error is None or attempt.outcome in _NOT_ITS_DOING:
        return None
    if attempt.answer is not None and attempt.answer.refused:
        return None
    return ailment_of(attempt.error)


def _circuit(circuits: _Circuits, key: bytes, rest: Rest) -> Circuit:
    circuit = circuits.get(key)
    if circuit is None:
        circuit = circuits[key] = Circuit(rest)
        if len(circuits) > REMEMBERED:
            circuits.popitem(last=False)
    else:
        circuits.move_to_end(key)
    return circuit


def _release(circuits: _Circuits, key: bytes, attempt: Attempt) -> None:
    circuit = circuits.get(key)
    if circuit is not None:
        circuit.released(attempt)


if TYPE_CHECKING:
    _: type[HealthView] = Health
