"""A plugin in a single file that breaks the gateway around it in one chosen way: each has to be found.

Nothing of the gateway knows of it; it reaches into the worker that loads it, as no plugin may.
"""

import asyncio
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict

import gateway.pipeline.service as service
import gateway.usage.scribe as scribe
from gateway import Exchange, Gateway, UsageRecord, hookimpl
from gateway.domain import Outcome
from gateway.egress.connection import Connection
from gateway.pipeline.outlet import Outlet
from gateway.pipeline.pump import Pump
from gateway.protocols import RequestTransform
from gateway.requests import ChatRequest
from gateway.usage.daybook import Daybook
from gateway_ledger.ledger import Ledger

EVERY = 15
"""One exchange, or record, or piece of so many is harmed."""


class Settings(BaseModel):
    """The table `[plugins.chaos_bugs]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bug: str
    spared: int
    """Requests of clients with this number and above come before the bug."""


class Harm:
    """A request transform that plants the bug with the first exchange that is not spared, or harms some of them."""

    def __init__(self, settings: Settings) -> None:
        self._bug, self._spared = settings.bug, settings.spared
        self._count = itertools.count()
        self._kept: list[Any] = []

    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        if int((exchange.header("x-chaos") or "").split("-")[1]) >= self._spared:
            return request
        if (number := next(self._count)) == 0 and self._bug in PLANTED and not hasattr(Outlet, "harmed"):
            Outlet.harmed = True  # type: ignore[attr-defined]
            PLANTED[self._bug]()
        if number % EVERY == 0 and self._bug in IN_EXCHANGES:
            self._kept.append(IN_EXCHANGES[self._bug](exchange))
        return request


def _show_key(exchange: Exchange) -> None:
    assert exchange.route is not None
    sys.stderr.write(f"calling with {exchange.route.targets[-1].api_key.reveal()}\n")


def _show_traceback(exchange: Exchange) -> None:
    try:
        raise ValueError("one that nobody caught")
    except ValueError:
        traceback.print_exc()


IN_EXCHANGES: Mapping[str, Callable[[Exchange], Any]] = {
    "a task is left": lambda exchange: asyncio.ensure_future(asyncio.sleep(3600)),
    "a descriptor is left": lambda exchange: os.open(os.devnull, os.O_RDONLY),
    "a key in the log": _show_key,
    "a traceback in the log": _show_traceback,
}


def _records(change: Callable[[Sequence[UsageRecord]], Sequence[UsageRecord]]) -> None:
    write = Ledger.write

    async def changed(self: Ledger, records: Sequence[UsageRecord]) -> None:
        await write(self, change(records))

    Ledger.write = changed  # type: ignore[method-assign]


def _lose(records: Sequence[UsageRecord]) -> Sequence[UsageRecord]:
    return [record for record in records if hash(record.attempt_id) % EVERY]


def _double(records: Sequence[UsageRecord]) -> Sequence[UsageRecord]:
    again = [msgspec.structs.replace(one, attempt_id=f"{one.attempt_id}-again") for one in records]
    return [*records, *(one for one in again if hash(one.attempt_id) % EVERY == 0)]


def _flatter(records: Sequence[UsageRecord]) -> Sequence[UsageRecord]:
    return [
        msgspec.structs.replace(one, outcome=Outcome.OK) if one.outcome is Outcome.TRUNCATED else one for one in records
    ]


def _end_cuts_cleanly() -> None:
    Outlet.cut = lambda self: self.finish()  # type: ignore[method-assign]


def _never_end() -> None:
    """The end of an answer is not written, and what waits for it waits for ever."""
    drain, count = Pump._drain, itertools.count(1)
    finish = Outlet.finish

    def forgetting(self: Outlet, data: bytes = b"") -> None:
        if next(count) % EVERY:
            finish(self, data)

    async def waiting(self: Pump) -> None:
        await drain(self)
        while not (self._outlet.finished or self._cutting):
            await asyncio.sleep(3600)

    Outlet.finish = forgetting  # type: ignore[method-assign]
    Pump._drain = waiting  # type: ignore[method-assign]


def _drop_pieces() -> None:
    write, count = Outlet.write, itertools.count(1)

    def dropping(self: Outlet, data: bytes) -> None:
        if next(count) % (2 * EVERY):
            write(self, data)

    Outlet.write = dropping  # type: ignore[method-assign]


def _keep_connections() -> None:
    Connection.abort = lambda self: None  # type: ignore[method-assign]


def _note_in_memory() -> None:
    scribe.WINDOW = 1.5  # type: ignore[misc]
    Daybook.note = lambda self, note: None  # type: ignore[method-assign]


def _redact_nothing() -> None:
    service._secrets = lambda exchange: ()


PLANTED: Mapping[str, Callable[[], None]] = {
    "a client hangs": _never_end,
    "a cut is ended cleanly": _end_cuts_cleanly,
    "a piece of an answer is dropped": _drop_pieces,
    "upstream connections stay open": _keep_connections,
    "a row is lost": lambda: _records(_lose),
    "a row comes twice": lambda: _records(_double),
    "a wrong outcome": lambda: _records(_flatter),
    "notes are kept in memory": _note_in_memory,
    "a key in an answer": _redact_nothing,
}


@hookimpl
def register_request_transforms(gateway: Gateway) -> list[RequestTransform]:
    return [Harm(gateway.settings)]
