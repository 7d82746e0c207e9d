"""Attempts without a network: told to health as the pipeline tells them, by a clock that a test turns."""

from gateway.domain import Attempt, Exchange, Model, Outcome
from gateway.errors import GatewayError
from gateway.events import Answer
from gateway.routing import Health
from gateway.secrets import Secret


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


class Ward:
    """Health, and what happens to the models it knows."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.health = Health(self.clock)

    def model(self, name: str = "a", *, key: str | None = None, host: str | None = None) -> Model:
        """A model with a credential of its own, unless it is named."""
        url = f"http://{host or name}/v1"
        return Model(id=f"id-{name}", name=name, model_id=name, base_url=url, api_key=Secret(key or f"sk-{name}"))

    def begin(self, model: Model) -> Attempt:
        attempt = Attempt(Exchange("x", "chat"), model, 1)
        attempt.started = self.clock.now
        self.health.began(attempt)
        return attempt

    def answer(self, attempt: Attempt) -> None:
        """Its first content comes."""
        attempt.first_content = self.clock.now
        attempt.answer = Answer()
        self.health.answered(attempt)

    def end(self, attempt: Attempt, error: GatewayError | None = None, outcome: Outcome | None = None) -> None:
        attempt.error = error
        attempt.outcome = outcome or (Outcome.OK if error is None else Outcome.UPSTREAM_ERROR)
        self.health.settled(attempt)

    def fails(self, model: Model, error: GatewayError, times: int = 1) -> None:
        for _ in range(times):
            self.end(self.begin(model), error)

    def succeeds(self, model: Model) -> None:
        attempt = self.begin(model)
        self.answer(attempt)
        self.end(attempt)
