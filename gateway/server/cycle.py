"""One request and its answer: what ASGI offers for it, and the line that leads past ASGI's messages."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_WITHOUT_BODY = (204, 304)
_WRONG_LENGTH = "The answer is not as long as was announced."


class Cycle(RequestResponseCycle):
    """uvicorn's cycle, and the gateway's `Line`: writes without a coroutine, a message and a task for watching.

    Both may be mixed: what the line began, ASGI's `send` may go on with. A head that the line was given is held until
    there is something behind it, so that the two leave together.
    """

    _head = b""
    _left: Callable[[], None] | None = None

    def __init__(self, protocol: HttpToolsProtocol, scope: Any, *, keep_alive: bool) -> None:
        super().__init__(
            scope=scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=protocol.access_log,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=protocol.expect_100_continue,
            keep_alive=keep_alive,
            on_response=protocol.on_response_complete,
        )

    # -- ASGI ---------------------------------------------------------------------------------------------------------

    async def send(self, message: Any) -> None:
        """As uvicorn does, behind what the line wrote."""
        self.flush()
        await super().send(message)

    async def receive(self) -> Any:
        """As uvicorn does; a body that is there already is taken without waiting."""
        if self.more_body or self.disconnected or self.response_complete or not self.body:
            return await super().receive()
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    # -- the line -----------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """The client has not taken what was written: what more there is has to wait in `send`."""
        return self.flow.write_paused and not self.disconnected

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        """Begin the answer; `fields` are whole header lines, `length` is the body's where it is known."""
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.disconnected:
            return
        lines = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            lines += (name, b": ", value, b"\r\n")
        lines.append(fields)
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if length is not None:
            lines.append(b"content-length: %d\r\n\r\n" % length)
            self.chunked_encoding, self.expected_content_length = False, length
        elif status in _WITHOUT_BODY:
            lines.append(b"\r\n")
        else:
            lines.append(b"transfer-encoding: chunked\r\n\r\n")
            self.chunked_encoding = True
        self._head = b"".join(lines)

    def write(self, body: bytes) -> bool:
        """Send a piece of the body; False where it was not, because the client does not keep up.

        Raises `RuntimeError` for more than was announced.
        """
        if self.flow.write_paused:
            return self.disconnected
        if self._head or not body or not self.chunked_encoding:
            self._send(body, b"")
        elif not self.disconnected:
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def finish(self, body: bytes) -> None:
        """Send the last piece of the body; raises `RuntimeError` for another length than was announced."""
        if self.disconnected:
            return
        if not self.chunked_encoding and self.expected_content_length != len(body):
            raise RuntimeError(_WRONG_LENGTH)
        self._send(body, b"0\r\n\r\n")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _send(self, body: bytes, last: bytes) -> None:
        """The body's piece behind a head that is held; the last chunk behind it, where it goes out in chunks."""
        if self.disconnected:
            return
        head, self._head = self._head, b""
        if self.chunked_encoding:
            data = b"%b%x\r\n%b\r\n%b" % (head, len(body), body, last) if body else head + last
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError(_WRONG_LENGTH)
            data = head + body
        if data:
            self.transport.write(data)

    def flush(self) -> None:
        """Send a head that is still held."""
        if self._head:
            head, self._head = self._head, b""
            if not self.disconnected:
                self.transport.write(head)

    def watch(self, left: Callable[[], None] | None) -> None:
        """Call this once the client has left before its answer was complete; None = no more."""
        self._left = left
        if left is not None:
            self.flow.resume_reading()
            if self.disconnected:
                asyncio.get_running_loop().call_soon(left)

    def leave(self) -> None:
        """The client has left."""
        self.disconnected = True
        self.message_event.set()
        if self._left is not None and not self.response_complete:
            self._left()
