"""Those who do things to the gateway while clients ask: they swap, cut, kill, restart and change."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol

from chaos_history import Death, Did, History, Span
from chaos_plan import Act
from chaos_proxy import DatabaseProxy

from gateway.registry import Database, KeyStore, ModelStore
from gateway.testing.client import RawResponse

PATIENCE = 60.0


class World(Protocol):
    """What the actors need of it."""

    history: History
    proxy: DatabaseProxy
    volatile: tuple[str, ...]
    passing_id: str
    passing_key: str
    ending: asyncio.Lock

    async def admin(self, path: str) -> RawResponse: ...
    def hang_up(self) -> None: ...
    def workers(self) -> list[int]: ...
    def late(self) -> float: ...
    async def restart(self) -> None: ...
    async def served(self) -> None: ...


async def swapper(world: World, acts: Iterator[Act], over: asyncio.Event) -> None:
    """Switch plugins, through the control plane or by SIGHUP."""
    async for act in _until(over, acts):
        verb, _, name = act.what.partition(" ")
        if act.what == "hang up":
            async with world.ending:
                world.hang_up()
            world.history.did.append(Did(what=act.what, answer="sent"))
            continue
        path, begin = f"/plugins/{name}/{verb}" if name else f"/plugins/{verb}", time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                answer = str((await world.admin(path)).status or "cut")
        except TimeoutError:
            answer = "hung"
        except OSError:
            answer = "not reached"
        world.history.did.append(Did(what=act.what, answer=answer, begin=begin, end=time.monotonic()))


async def outager(world: World, acts: Iterator[Act], over: asyncio.Event) -> None:
    """Take the database away for a while."""
    async for act in _until(over, acts):
        begin = time.monotonic()
        await world.proxy.away(act.size, silent=act.what == "silent")
        world.history.outages.append(Span(what=act.what, begin=begin, end=time.monotonic()))


async def ender(world: World, acts: Iterator[Act], over: asyncio.Event) -> None:
    """Kill a worker or all of them, or stop the server and start it anew."""
    async for act in _until(over, acts):
        async with world.ending:
            if act.what == "restart":
                await world.restart()
                continue
            workers = world.workers()
            for victim in workers if act.what == "kill all" else workers[int(act.size * len(workers)) :][:1]:
                late, at = world.late(), time.monotonic()
                os.kill(victim, signal.SIGKILL)
                world.history.deaths.append(Death(worker=victim, at=at, late=late))
            await world.served()


async def changer(world: World, acts: Iterator[Act], over: asyncio.Event, database: Database) -> None:
    """Switch models off and on, and change a key, behind the gateway's back."""
    async for act in _until(over, acts):
        if act.what == "new key":
            keys = KeyStore(database)
            await keys.revoke(world.passing_id)
            stored, secret = await keys.create("passing")
            world.passing_id, world.passing_key = stored.id, secret.reveal()
        else:
            model = world.volatile[int(act.size * len(world.volatile))]
            await ModelStore(database).update(model, {"enabled": act.what == "enable"})
        world.history.did.append(Did(what=act.what, answer="done"))


async def _until(over: asyncio.Event, acts: Iterator[Act]) -> AsyncIterator[Act]:
    """The acts, each after its rest, until it is over."""
    for act in acts:
        try:
            async with asyncio.timeout(act.rest):
                await over.wait()
                return
        except TimeoutError:
            yield act


def children(process: int) -> list[int]:
    """The serving processes of a supervisor (Linux)."""
    found = []
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in command:
            found.append(int(child))
    return found


class Wakes:
    """How late those who sleep are woken on this machine: an async context manager around what is measured."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late: list[tuple[float, float]] = []
        self._task: asyncio.Task[None] | None = None

    def late(self) -> float:
        """The worst of the last two seconds."""
        now = self._clock()
        self._late = [(at, late) for at, late in self._late if now - at < 2.0]
        return max((late for _, late in self._late), default=0.0)

    async def _measure(self) -> None:
        while True:
            due = self._clock() + 0.02
            await asyncio.sleep(0.02)
            now = self._clock()
            self._late.append((now, now - due))

    async def __aenter__(self) -> "Wakes":
        self._task = asyncio.create_task(self._measure())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
