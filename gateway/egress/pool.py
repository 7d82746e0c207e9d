"""The connections of one client: how many, whose, and for how long."""

import asyncio
import time
from collections import deque
from typing import TypeAlias

from gateway.egress.connection import Connection
from gateway.egress.faults import overloaded
from gateway.egress.policy import EgressPolicy

Key: TypeAlias = tuple[bytes, str]
"""Tenant and origin: connections are never shared across either."""


class Pool:
    """Counts every connection and keeps the idle ones.

    A connection holds a place from before its dial until its socket is closed. When all places are taken, an idle
    connection has to go; when none is idle, requests wait in a queue, first come first served.
    """

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._taken = 0
        self._live: set[Connection] = set()
        self._idle: dict[Key, list[Connection]] = {}
        self._since: dict[Connection, float] = {}  # in the order they became idle
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    @property
    def taken(self) -> int:
        """Places taken: connections and dials."""
        return self._taken

    @property
    def idle(self) -> int:
        """Idle connections."""
        return len(self._since)

    def take(self, key: Key) -> Connection | None:
        """An idle connection of that key that is still good."""
        kept = self._idle.get(key)
        while kept:
            connection = kept.pop()
            del self._since[connection]
            if not kept:
                del self._idle[key]
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def place(self) -> None:
        """Take a place for a dial; every place taken must be `adopt`ed or given back by `free`.

        Raises `Overloaded` when none became free in time.
        """
        if self._taken < self._policy.max_connections:
            self._taken += 1
            return
        if not self._evict():
            await self._wait()
            return
        self._taken += 1

    def free(self) -> None:
        """Give a place back."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # The place changes hands.
                return
        self._taken -= 1
        if self._emptied is not None and not self._taken and not self._emptied.done():
            self._emptied.set_result(None)

    def adopt(self, connection: Connection) -> None:
        """The dial for a place made this connection: it holds the place from now on."""
        if connection.ended:
            self.free()
        else:
            self._live.add(connection)

    async def aclose(self) -> None:
        """Close all connections and wait until their sockets are closed."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self._live):
            connection.abort()
        if self._live:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._emptied,), timeout=1.0)

    # -- connections call these ---------------------------------------------------------------------

    def settle(self, connection: Connection, *, reusable: bool) -> None:
        """A connection's exchange is over: keep the connection or close it."""
        if not reusable or connection not in self._live or self._waiting:
            connection.abort()
            return
        policy, key = self._policy, connection.key
        if key in self._idle and len(self._idle[key]) >= policy.idle_per_key:
            connection.abort()
            return
        if len(self._since) >= policy.idle_total:
            self._evict()
        self._idle.setdefault(key, []).append(connection)
        self._since[connection] = time.monotonic()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(policy.idle_seconds, self._sweep)

    def lost(self, connection: Connection) -> None:
        """A connection's socket is closed."""
        self._forget(connection)
        if connection in self._live:
            self._live.discard(connection)
            self.free()

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._policy.queue_seconds):
                await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.done() and not waiter.cancelled():
                self.free()  # The place came in the same turn of the loop as the end of the waiting.
            if isinstance(error, TimeoutError):
                raise overloaded() from None
            raise

    def _evict(self) -> bool:
        oldest = next(iter(self._since), None)
        if oldest is None:
            return False
        self._forget(oldest)
        if oldest in self._live:
            self._live.discard(oldest)
            self._taken -= 1
        oldest.abort()
        return True

    def _forget(self, connection: Connection) -> None:
        if self._since.pop(connection, None) is not None:
            kept = self._idle[connection.key]
            kept.remove(connection)
            if not kept:
                del self._idle[connection.key]

    def _sweep(self) -> None:
        limit = time.monotonic() - self._policy.idle_seconds
        while self._since:
            connection, since = next(iter(self._since.items()))
            if since > limit:
                self._sweeper = asyncio.get_running_loop().call_later(since - limit, self._sweep)
                return
            self._forget(connection)
            connection.abort()
        self._sweeper = None
