"""Name resolution that a hanging name server cannot turn into a hanging gateway."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol


class Resolver(Protocol):
    """Turns host names into addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of `host` as text, best first. Raises `OSError` when there are none."""
        ...


def system_lookup(host: str) -> list[str]:
    """What the operating system's resolver says; blocks."""
    # As bytes: Python's own IDNA step would raise UnicodeError for labels the URL parser has already judged.
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


class SystemResolver:
    """Asks the system's resolver in threads of its own, once for all who wait for one name.

    The threads are daemons and not an executor's: an executor joins its threads at exit, and a name server that
    does not answer would hold the process for half a minute. A name that hangs holds one thread, whoever asks for it.
    """

    def __init__(
        self,
        lookup: Callable[[str], Sequence[str]] = system_lookup,
        *,
        threads: int = 64,
        remember_failure: float = 5.0,
    ) -> None:
        self._lookup = lookup
        self._threads = threads
        self._remember_failure = remember_failure
        self._running: dict[str, asyncio.Future[Sequence[str] | Exception]] = {}
        self._failed: dict[str, float] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of `host`; a failure is remembered for a few seconds."""
        loop = asyncio.get_running_loop()
        if self._failed.get(host, 0.0) > loop.time():
            raise OSError(f"no address for {host} a moment ago")
        future = self._running.get(host)
        if future is None:
            if len(self._running) >= self._threads:
                raise OSError("too many names are being looked up")
            future = self._begin(host, loop)
        # Others may wait for the same lookup, so one who leaves must not cancel it.
        result = await asyncio.shield(future)
        if isinstance(result, Exception):
            raise OSError(f"no address for {host}: {result}") from result
        return result

    def _begin(self, host: str, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Sequence[str] | Exception]":
        try:
            threading.Thread(target=self._work, args=(host, loop), name=f"resolve {host}", daemon=True).start()
        except RuntimeError as error:
            raise OSError("no thread to look up a name") from error
        self._running[host] = loop.create_future()
        return self._running[host]

    def _work(self, host: str, loop: asyncio.AbstractEventLoop) -> None:
        result: Sequence[str] | Exception
        try:
            result = self._lookup(host)
        except (OSError, UnicodeError) as error:
            result = error
        try:
            loop.call_soon_threadsafe(self._finish, host, result)
        except RuntimeError:
            pass  # The loop closed while the name server was silent: nobody waits any more.

    def _finish(self, host: str, result: "Sequence[str] | Exception") -> None:
        future = self._running.pop(host)
        now = future.get_loop().time()
        if isinstance(result, Exception):
            if len(self._failed) > 1024:
                self._failed = {name: until for name, until in self._failed.items() if until > now}
            self._failed[host] = now + self._remember_failure
        if not future.done():
            future.set_result(result)
