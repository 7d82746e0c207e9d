"""The body of an error answer, as much of it as is worth having."""

import asyncio
from typing import Final

from gateway.errors import GatewayError
from gateway.protocols import ByteStream

_LIMIT: Final = 1 << 20
_SECONDS: Final = 10.0


async def collect(body: ByteStream) -> bytes:
    """What came of the body within 1 MiB and ten seconds, cut or not; the stream is closed after it.

    The status alone is already an answer: a body that breaks off must not turn it into another failure.
    """
    sink = _Collector()
    try:
        body.start(sink)
        async with asyncio.timeout(_SECONDS):
            await sink.full
    except TimeoutError:
        pass
    finally:
        body.close()
    return bytes(sink.data[:_LIMIT])


class _Collector:
    def __init__(self) -> None:
        self.data = bytearray()
        self.full: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def move(self, data: bytes) -> None:
        if len(self.data) < _LIMIT:
            self.data += data
        if len(self.data) >= _LIMIT:
            self._finish()

    def end(self, error: GatewayError | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.full.done():
            self.full.set_result(None)
