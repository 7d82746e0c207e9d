"""A response's body taken piece by piece."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from gateway.errors import GatewayError
from gateway.protocols import ByteStream


class Pull:
    """Turns a body that is pushed into one that is asked for; the upstream waits while nobody asks."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._pieces: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._error: GatewayError | None = None

    def move(self, data: bytes) -> None:
        """The bytes of one read."""
        self._pieces.append(data)
        self._stream.pause()
        self._arrived.set()

    def end(self, error: GatewayError | None) -> None:
        """No more bytes."""
        self._ended, self._error = True, error
        self._arrived.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises what cut it short."""
        self._stream.start(self)
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._ended:
                break
            self._arrived.clear()
            self._stream.resume()
            await self._arrived.wait()
        if self._error is not None:
            raise self._error
