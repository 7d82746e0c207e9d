"""The door to upstreams for libraries that speak httpx2."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx2

from gateway.domain import Timeouts
from gateway.errors import (
    GatewayError,
    InvalidUpstreamUrl,
    Overloaded,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamRedirect,
    UpstreamReset,
    UpstreamTimeout,
)

if TYPE_CHECKING:
    from gateway.egress.client import EgressClient
    from gateway.protocols import ByteStream

_HIGH = 131_072
"""Body bytes waiting for the reader; above it the upstream has to wait."""


class Httpx2Transport(httpx2.AsyncBaseTransport):
    """Sends an httpx2 request through an `EgressClient`; closing it leaves the client open."""

    def __init__(self, client: "EgressClient", *, tenant: bytes, timeouts: Timeouts) -> None:
        self._client = client
        self._tenant = tenant
        self._timeouts = timeouts

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response, its body still streaming; errors are httpx2's, with ours as their cause."""
        limits: Mapping[str, float | None] = request.extensions.get("timeout", {})
        connect, read = limits.get("connect"), limits.get("read")
        timeouts = Timeouts(
            connect=self._timeouts.connect if connect is None else connect,
            first=self._timeouts.first if read is None else read,
            idle=self._timeouts.idle if read is None else read,
            total=self._timeouts.total,
        )
        try:
            stream = await self._client.send(
                request.method,
                str(request.url),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                body=await request.aread(),
                tenant=self._tenant,
                timeouts=timeouts,
            )
        except GatewayError as error:
            raise _translate(error, request) from error
        return httpx2.Response(
            stream.status,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in stream.headers],
            stream=_PulledStream(stream, request, timeouts.idle),
            extensions={"http_version": b"HTTP/1.1", "egress": stream},
        )


class _PulledStream(httpx2.AsyncByteStream):
    """Turns a pushed body into one that is pulled: what is not yet wanted waits here, then at the upstream."""

    def __init__(self, stream: "ByteStream", request: httpx2.Request, idle: float) -> None:
        self._stream = stream
        self._request = request
        self._idle = idle
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: GatewayError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def move(self, data: bytes) -> None:
        """Keep the bytes of one read."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _HIGH:
            self._stream.pause()
        self._wake()

    def end(self, error: GatewayError | None) -> None:
        """No more will come."""
        self._ended, self._error = True, error
        self._wake()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._stream.start(self)
        try:
            while True:
                while self._pieces:
                    data = self._pieces.popleft()
                    self._size -= len(data)
                    if not self._pieces:
                        self._stream.resume()
                    yield data
                if self._ended:
                    break
                await self._more()
        finally:
            self._stream.close()
        if self._error is not None:
            raise _translate(self._error, self._request) from self._error

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._stream.close()

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._idle):
                await self._waiter
        except TimeoutError as error:
            raise httpx2.ReadTimeout("Request timed out.", request=self._request) from error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _translate(error: GatewayError, request: httpx2.Request) -> httpx2.TransportError:
    kind: Any = httpx2.ConnectError
    if isinstance(error, UpstreamConnectTimeout):
        kind = httpx2.ConnectTimeout
    elif isinstance(error, UpstreamTimeout):
        kind = httpx2.ReadTimeout
    elif isinstance(error, UpstreamReset):
        kind = httpx2.ReadError
    elif isinstance(error, UpstreamBroken | UpstreamRedirect):
        kind = httpx2.RemoteProtocolError
    elif isinstance(error, Overloaded):
        kind = httpx2.PoolTimeout
    elif isinstance(error, InvalidUpstreamUrl) or request.url.scheme not in ("http", "https"):
        kind = httpx2.UnsupportedProtocol
    translated: httpx2.TransportError = kind(error.message, request=request)
    return translated
