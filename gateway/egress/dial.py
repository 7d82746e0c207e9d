"""Making a connection: guarded, inside one limit of time, closed at once when the caller goes away."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.egress.connection import Connection
from gateway.egress.faults import connect_timed_out, not_dialled, overloaded, tls_failed, unreachable
from gateway.egress.guard import Guard
from gateway.egress.url import Target

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What this process or machine has too little of: nothing that the upstream could help."""


class Dialer:
    """Dials targets through the guard."""

    __slots__ = ("_context", "_guard")

    def __init__(self, guard: Guard, context: ssl.SSLContext | None) -> None:
        self._guard = guard
        self._context = context

    async def dial(self, target: Target, until: float, make: Callable[[], Connection]) -> Connection:
        """A connection to the target before `until`, names resolved and TLS spoken.

        Raises `UpstreamConnectTimeout`, `UpstreamTlsError`, `UpstreamUnreachable`; a denied address is told exactly
        like a refused connection, but is not retryable. Raises `Overloaded` where no descriptor is free.
        """
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._allowed(target)
                sock = await _connect(addresses, target.port, until)
                if not target.tls:
                    return await _attach(sock, make)
                try:
                    return await _attach(sock, make, self._tls_context(), target.host)
                except TimeoutError:
                    raise
                except (OSError, ValueError) as error:
                    raise tls_failed(str(error)) from error
        except TimeoutError as error:
            raise connect_timed_out() from error
        except OSError as error:
            raise (overloaded() if error.errno in _OURS else unreachable(str(error))) from error

    async def _allowed(self, target: Target) -> Sequence[str]:
        try:
            return await self._guard.addresses(target)
        except OSError as error:
            # A name that is not known is told like one whose address is denied, down to the time the answer takes: who
            # may write a base URL must not learn which internal names there are. (Failed lookups are remembered
            # anyway, so that a retry would hear the same.)
            raise not_dialled(str(error)) from error

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            # Not at start: reading the system's trust store takes some 20 ms, and not everybody has an https upstream.
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context


async def _connect(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connected socket to the first of the addresses that answers; each gets its share of the time."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no address")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            now = loop.time()
            async with asyncio.timeout_at(now + (until - now) / left):
                await _connected(sock, address, port, loop)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _connected(sock: socket.socket, address: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
    """Like `loop.sock_connect`; uvloop's takes a thread to look up what is an address already."""
    failed = sock.connect_ex((address, port))
    if failed == errno.EINPROGRESS:
        done = loop.create_future()
        loop.add_writer(sock, _tell, done)
        try:
            await done
        finally:
            loop.remove_writer(sock)
        failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        raise OSError(failed, f"{os.strerror(failed)}: {address} port {port}")


def _tell(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


async def _attach(
    sock: socket.socket,
    make: Callable[[], Connection],
    context: ssl.SSLContext | None = None,
    name: str | None = None,
) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(make, sock=sock, ssl=context, server_hostname=name)
    except BaseException:
        # The transport owns the socket and closes it, but where TLS has not begun only after it heard of an end.
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        raise
    return connection
