"""A limiter, a strategy, transforms, an observer, and a route that uses them. Of contract 1.0; never to be edited."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from pydantic import BaseModel, ConfigDict

from gateway import (
    ChatRequest,
    End,
    Event,
    Exchange,
    Failure,
    Finish,
    Gateway,
    HealthView,
    InvalidRequest,
    Limiter,
    Model,
    ModelLookup,
    Principal,
    RateLimited,
    RequestTransform,
    Route,
    RoutingStrategy,
    Secret,
    Step,
    StreamObserver,
    StreamTransform,
    Text,
    hookimpl,
)

ROUTE = "3f0c2a52-8f0e-4c66-9a7a-5ad5c3b0f002"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    notes: Path
    most: int = 1


class Notes:
    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, *said: object) -> None:
        with self._file.open("a") as file:
            file.write(f"{json.dumps(said)}\n")


class TwoModels:
    """The route's first model is nowhere: the strategy has to begin with the last."""

    def __init__(self, base_url: str) -> None:
        self._models = [
            Model(
                id=f"{ROUTE[:-1]}{number}",
                name=f"frozen-{number}",
                model_id=f"m{number}",
                base_url=place,
                provider="frozen",
                api_key=Secret("sk-frozen-credential"),
                sharing="public",
            )
            for number, place in ((3, "http://127.0.0.1:1"), (4, base_url))
        ]

    async def find(self, name: str, principal: Principal) -> Route | None:
        return (
            Route(name="frozen-route", targets=tuple(self._models), strategy="frozen_last") if name == ROUTE else None
        )


class FrozenLast:
    name = "frozen_last"

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        return [model for model in reversed(route.targets) if not health.cooling(model)]


class FrozenLimiter:
    def __init__(self, most: int, notes: Notes) -> None:
        self._room = most
        self._notes = notes

    async def acquire(self, exchange: Exchange) -> None:
        if not self._room:
            raise RateLimited("frozen is full.", retry_after=7)
        self._room -= 1

    async def settle(self, exchange: Exchange) -> None:
        usage = exchange.answer.usage if exchange.answer else None
        caller = exchange.principal.id if exchange.principal else None
        self._room += 1
        self._notes.add("settled", caller, exchange.outcome, usage.output if usage else None, len(exchange.attempts))


class FrozenPreamble:
    after = ("nobody_of_this_name",)

    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        messages = json.loads(bytes(request.fields["messages"]))
        if messages[-1]["content"] == "forbidden":
            raise InvalidRequest("frozen forbids it.")
        changed = [{"role": "system", "content": "Be cold."}, *messages]
        return request.with_fields(messages=msgspec.Raw(json.dumps(changed).encode()))


class FrozenWords:
    """Gives whole words out, in capitals: the last one waits until the next blank."""

    guard = True

    def start(self, exchange: Exchange) -> Step:
        held: list[str] = []

        def step(events: list[Event]) -> list[Event]:
            given: list[Event] = []
            for event in events:
                if isinstance(event, Text):
                    *whole, last = ("".join(held) + event.text).split(" ")
                    held[:] = [last]
                    if whole:
                        given.append(msgspec.structs.replace(event, text="".join(f"{word.upper()} " for word in whole)))
                    continue
                if isinstance(event, Finish | End | Failure) and held and held[0]:
                    given.append(Text(text=held[0].upper()))
                    held.clear()
                given.append(event)
            return given

        return step


class FrozenObserver:
    wants = frozenset[type[Event]]({Text, Finish})

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        seen: list[str] = []

        def told(events: Sequence[Event]) -> None:
            for event in events:
                if isinstance(event, Text):
                    seen.append(event.text)
                elif isinstance(event, Finish):
                    self._notes.add("seen", "".join(seen), event.reason, exchange.attempts[-1].model.name)

        return told


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    return [TwoModels(gateway.settings.base_url)]


@hookimpl
def register_strategies() -> list[RoutingStrategy]:
    return [FrozenLast()]


@hookimpl(tryfirst=True)
def register_limiters(gateway: Gateway) -> list[Limiter]:
    return [FrozenLimiter(gateway.settings.most, Notes(gateway.settings.notes))]


@hookimpl
def register_request_transforms() -> tuple[RequestTransform, ...]:
    return (FrozenPreamble(),)


@hookimpl
def register_stream_transforms() -> list[StreamTransform]:
    return [FrozenWords()]


@hookimpl(trylast=True)
def register_stream_observers(gateway: Gateway) -> list[StreamObserver]:
    return [FrozenObserver(Notes(gateway.settings.notes))]
