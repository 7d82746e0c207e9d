"""A port of its own that serves `/metrics` and nothing else."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

Text: TypeAlias = Callable[[str], Awaitable[tuple[str, bytes]]]

_SECONDS: Final = 5.0
_HEAD: Final = 16 * 1024


@asynccontextmanager
async def listening(host: str, port: int, text: Text) -> AsyncIterator[None]:
    """Listen while the context is open; raises `OSError` where somebody else does.

    The port is shared: by the workers, each of which can speak for all, and by the next generation of plugins.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(4 * _SECONDS):
                writer.write(await _response(head, text))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    shares = hasattr(socket, "SO_REUSEPORT")
    server = await asyncio.start_server(answer, host, port, limit=_HEAD, reuse_port=shares)
    async with server:
        yield


async def _response(head: bytes, text: Text) -> bytes:
    line, *fields = head.decode("latin-1").split("\r\n")
    method, _, target = line.partition(" ")
    if method not in ("GET", "HEAD") or target.split(" ")[0].partition("?")[0] != "/metrics":
        return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    accept = next((value for name, _, value in (f.partition(":") for f in fields) if name.lower() == "accept"), "")
    content_type, body = await text(accept.strip())
    top = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return top.encode("latin-1") + (body if method == "GET" else b"")
