"""Upstreams that nobody can talk to: none listens, none accepts, or what answers does not speak TLS as it should."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from gateway.testing.authority import Authority


class Unreachable(msgspec.Struct, frozen=True):
    """Ports of 127.0.0.1, and whom to trust."""

    closed: int
    """Connections are refused."""
    full: int
    """Connections are neither accepted nor refused."""
    no_tls: int
    """A web server that does not know TLS."""
    self_signed: int
    """TLS with a certificate that nobody vouches for."""
    expired: int
    """TLS with a certificate of the authority that has ended."""
    wrong_name: int
    """TLS with a certificate of the authority for another address."""
    trusted: int
    """TLS as it should be; behind it, a web server that answers 400 to everything."""
    authority: Path
    """The authority's certificate, for `SSL_CERT_FILE` of the gateway."""


@asynccontextmanager
async def unreachable(folder: Path) -> AsyncIterator[Unreachable]:
    """Open these ports; `folder` is where certificates are written."""
    authority = Authority(folder)
    async with AsyncExitStack() as stack:

        async def serve(tls: ssl.SSLContext | None) -> int:
            server = await stack.enter_async_context(await asyncio.start_server(_refuse, "127.0.0.1", 0, ssl=tls))
            port: int = server.sockets[0].getsockname()[1]
            return port

        closed, full = (stack.enter_context(socket.socket()) for _ in range(2))
        for one in (closed, full):
            one.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue of those who wait to be accepted is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield Unreachable(
            closed=closed.getsockname()[1],
            full=full.getsockname()[1],
            no_tls=await serve(None),
            self_signed=await serve(authority.server("self-signed", "127.0.0.1", by_itself=True)),
            expired=await serve(authority.server("expired", "127.0.0.1", days=-1)),
            wrong_name=await serve(authority.server("wrong-name", "127.0.0.2")),
            trusted=await serve(authority.server("trusted", "127.0.0.1")),
            authority=authority.path,
        )


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say 400 to whatever comes, a handshake too."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()
