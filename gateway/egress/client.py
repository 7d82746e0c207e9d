"""The one door to upstreams."""

import asyncio
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.domain import Timeouts
from gateway.egress.capture import Capture, CapturedRequest, NoAnswer
from gateway.egress.connection import Connection
from gateway.egress.deadlines import Deadlines
from gateway.egress.dial import Dialer
from gateway.egress.faults import malformed, not_dialled, redirected
from gateway.egress.guard import Guard
from gateway.egress.message import Message
from gateway.egress.policy import EgressPolicy
from gateway.egress.pool import Key, Pool
from gateway.egress.request import Prepared, header_lines, request_head
from gateway.egress.resolver import Resolver, SystemResolver
from gateway.egress.response import Response
from gateway.egress.url import Target, parse_target
from gateway.errors import Headers

if TYPE_CHECKING:
    from gateway.egress.httpx2_transport import Httpx2Transport
    from gateway.protocols import Egress

_BUFFER = 65_536


class EgressClient:
    """Sends requests to upstreams: guarded at the dial, pooled by tenant and origin, bounded, never redirected.

    Make it once for an event loop; `aclose()` closes every connection.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._pool = Pool(policy)
        self._dialer = Dialer(Guard(policy, resolver or SystemResolver()), ssl_context)
        self._target = lru_cache(maxsize=1024)(parse_target)
        self._buffer = memoryview(bytearray(_BUFFER))
        self._closed = False
        self.capture = Capture()
        """Within `with egress.capture() as requests` nothing is sent."""

    @property
    def open_connections(self) -> int:
        """Connections and dials at this moment, idle ones included."""
        return self._pool.taken

    @property
    def idle_connections(self) -> int:
        """Connections waiting for their next request."""
        return self._pool.idle

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        tenant: bytes = b"",
        timeouts: Timeouts = Timeouts(),
        fresh: bool = False,
    ) -> Response | NoAnswer:
        """Send one request and return once the response's head is there, whatever its status but a redirect.

        `host`, framing, connection and `accept-encoding` headers are this door's own; a caller's are left out.
        Raises `InvalidUpstreamUrl`; `UpstreamUnreachable` and its kinds, `StaleConnection` for a pooled connection
        that had died; `UpstreamTimeout`; `UpstreamBroken` for a head that announces a compressed body;
        `Overloaded` when no connection became free, or none could be opened. Cancelling closes the socket.
        """
        if self._closed:
            raise not_dialled("the egress client is closed")
        if (captured := self.capture.kept) is not None:
            header_lines(headers)  # What cannot be sent is nothing to look at, either.
            captured.append(CapturedRequest(method=method, url=url, headers=headers, body=body))
            return NoAnswer()
        target = self._target(url)
        head = request_head(method, target, headers, len(body))
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop.time(), timeouts)
        key = (tenant, target.origin)
        connection = None if fresh else self._pool.take(key)
        if connection is None:
            connection = await self._dial(target, key, deadlines)
        message = Message(head_only=method == "HEAD", limit=self._policy.head_limit)
        response = Response(connection, message, loop, deadlines)
        connection.send(response, head, body)
        timer = loop.call_at(deadlines.first, response.expire)
        try:
            await response.arrived
        except BaseException:
            response.close()
            raise
        finally:
            timer.cancel()
        if response.status < 300 and not message.compressed and response.status:
            return response
        return _judge(response, compressed=message.compressed)

    def prepared(self, headers: Headers) -> Headers:
        """The same headers, for many requests: checked and written by the first of them."""
        return Prepared(headers)

    def httpx2_transport(self, *, tenant: bytes = b"", timeouts: Timeouts = Timeouts()) -> "Httpx2Transport":
        """An `httpx2.AsyncBaseTransport` over this door, for libraries built on httpx2.

        The response's `ByteStream` is at `response.extensions["egress"]`.
        """
        # Here and not above: httpx2 costs start-up time that commands which call no upstream should not pay.
        from gateway.egress.httpx2_transport import Httpx2Transport

        return Httpx2Transport(self, tenant=tenant, timeouts=timeouts)

    async def aclose(self) -> None:
        """Close every connection at once; answers still under way end as cut."""
        self._closed = True
        await self._pool.aclose()

    async def _dial(self, target: Target, key: Key, deadlines: Deadlines) -> Connection:
        await self._pool.place()
        try:
            connection = await self._dialer.dial(
                target, deadlines.connect, lambda: Connection(self._pool, key, self._buffer)
            )
        except BaseException:
            self._pool.free()
            raise
        self._pool.adopt(connection)
        return connection


def _judge(response: Response, *, compressed: bool) -> Response:
    """The response, unless there is none or it is one nobody may use."""
    if not response.status:
        assert response.error is not None
        raise response.error
    if 300 <= response.status < 400:
        response.close()
        raise redirected(response.status)
    if compressed:
        response.close()
        raise malformed("the body is compressed, which was not asked for")
    return response


if TYPE_CHECKING:
    _: type[Egress] = EgressClient
