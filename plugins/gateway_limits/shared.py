"""What was taken of limits: counted by a Redis or Valkey server, for all workers and hosts together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from gateway.protocols import Logger
from gateway_limits.counters import Cell, Counters, OwnCounters, Taken
from gateway_limits.scripts import GIVE_BACK, SETTLE, TAKE

_PREFIX: Final = "gateway:{limits}:"
"""The braces keep all on one server of a cluster, as one script needs."""
LEASE: Final = 60.0
"""Seconds that a place of `concurrent` outlives a process that says nothing more."""
_LOOK: Final = 1.0
"""Seconds between two looks at a server that is away."""
_RENEWALS: Final = 20.0
"""Seconds between two renewals of the places that are held."""


class SharedCounters:
    """Counts there; while the server is away, here: from then on no request waits for it, until a look finds it back.

    What the server said last is known here as well, and is where counting here begins: it lets through no more than one
    more minute's worth for each process.
    """

    def __init__(self, client: Any, patience: float, log: Logger) -> None:
        self._client = client
        self._patience = patience
        self._log = log
        self._own = OwnCounters()
        self._take = client.register_script(TAKE)
        self._settle = client.register_script(SETTLE)
        self._give_back = client.register_script(GIVE_BACK)
        self._places: dict[str, Sequence[str]] = {}
        """The places that holders have there, to be renewed."""
        self._there: set[str] = set()
        """Holders that are counted there."""
        self._doubtful: dict[str, Sequence[Cell]] = {}
        """What was asked of the server, and nobody heard whether it was taken: to be given back."""
        self._doubt = asyncio.Event()
        self.away = False
        """Whether this process counts by itself."""

    @property
    def ailing(self) -> str:
        """What it does without."""
        return "the server that counts for all is away, each process counts by itself" if self.away else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the server while the context is open."""
        await self._look()
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(work, name="limits") for work in (self._look_after(), self._clear_up())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._return()
            with suppress(Exception):
                await self._client.aclose()

    async def take(self, cells: Sequence[Cell], holder: str) -> Taken:
        """Take all that the exchange needs, or nothing."""
        if not self.away:
            try:
                async with asyncio.timeout(self._patience):
                    refused, *left = await self._take(**_told(cells, holder, [cell.need for cell in cells]))
            except asyncio.CancelledError:
                # The client has left, and waits for nothing.
                self._doubts(cells, holder)
                raise
            except Exception as error:  # noqa: BLE001 - a named border: whatever a server that fails does
                self._doubts(cells, holder)
                self._lost(error)
            else:
                taken = Taken(tuple(map(float, left)), int(refused) - 1 if int(refused) else None)
                self._own.note(cells, holder, taken)
                if taken.refused is None:
                    self._there.add(holder)
                    if places := [_PREFIX + cell.name for cell in cells if cell.kind == "concurrent"]:
                        self._places[holder] = places
                return taken
        return await self._own.take(cells, holder)

    async def settle(self, cells: Sequence[Cell], holder: str, tokens: float) -> None:
        """The exchange is over; of one that the server counted and cannot be told now, its reservation fades."""
        await self._own.settle(cells, holder, tokens)
        self._places.pop(holder, None)
        if holder not in self._there:
            return
        self._there.discard(holder)
        if self.away:
            return
        back = [cell.need - tokens if cell.kind == "tpm" else 0 for cell in cells]
        try:
            async with asyncio.timeout(self._patience):
                await self._settle(**_told(cells, holder, back))
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)

    def left(self, cell: Cell) -> float:
        """What is left of a limit, as the server said last to this process."""
        return self._own.left(cell)

    def _doubts(self, cells: Sequence[Cell], holder: str) -> None:
        """The server may have taken it, or may do so yet, and the exchange will not be settled there."""
        self._doubtful[holder] = cells
        self._doubt.set()

    async def _clear_up(self) -> None:
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            if not self.away:
                await self._return()

    async def _return(self) -> None:
        """Give back what is doubtful; what the server does not confirm stays so."""
        doubtful = dict(self._doubtful)
        if not doubtful:
            return
        try:
            async with asyncio.timeout(max(_LOOK, self._patience)):
                pipe = self._client.pipeline(transaction=False)
                for holder, cells in doubtful.items():
                    await self._give_back(**_told(cells, holder, [cell.need for cell in cells]), client=pipe)
                await pipe.execute()
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)
            return
        for holder in doubtful:
            del self._doubtful[holder]

    def _lost(self, error: BaseException) -> None:
        if not self.away:
            self.away = True
            self._log.error("limits_counted_alone", error=type(error).__name__)

    async def _look_after(self) -> None:
        renewed = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_LOOK)
            if self.away:
                await self._look()
            now = asyncio.get_running_loop().time()
            if not self.away and now - renewed >= _RENEWALS:
                renewed = now
                await self._renew()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(max(_LOOK, self._patience)):
                await self._client.ping()
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)
            return
        if self.away:
            self.away = False
            self._doubt.set()
            self._log.info("limits_counted_together")

    async def _renew(self) -> None:
        """Say that those who hold a place still do."""
        try:
            async with asyncio.timeout(max(_LOOK, self._patience)):
                now = float((await self._client.time())[0])
                pipe = self._client.pipeline(transaction=False)
                for holder, names in self._places.items():
                    for name in names:
                        pipe.zadd(name, {holder: now + LEASE}, xx=True)
                        pipe.expire(name, int(LEASE) + 1)
                await pipe.execute()
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)


def _told(cells: Sequence[Cell], holder: str, amounts: Sequence[float]) -> dict[str, Any]:
    """What a script is told: of each limit an amount."""
    arguments: list[Any] = [holder, LEASE]
    for cell, amount in zip(cells, amounts, strict=True):
        arguments += (cell.kind, cell.limit, amount)
    return {"keys": [*(_PREFIX + cell.name for cell in cells), f"{_PREFIX}taken:{holder}"], "args": arguments}


if TYPE_CHECKING:
    _: type[Counters] = SharedCounters
