"""An HTTP/1.1 client that hides nothing: when each chunk came, and whether the body was ended or cut."""

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec

HeaderList = Sequence[tuple[str, str]]


class RawResponse(msgspec.Struct, kw_only=True):
    """A response as far as it came."""

    status: int | None = None
    """None when the connection ended before a status line."""
    headers: list[tuple[str, str]] = []
    """In the order received, names in lower case."""
    chunks: list[tuple[float, bytes]] = []
    """When (`time.monotonic()`) and what."""
    complete: bool = False
    """Whether the HTTP message was ended properly; False when it was cut."""
    error: str | None = None
    """What the transport said when it was not."""

    @property
    def body(self) -> bytes:
        """All that came."""
        return b"".join(data for _, data in self.chunks)

    def json(self) -> Any:
        """The body, decoded as leniently as a browser does (a lone surrogate's escape is a string, too)."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


class RawExchange:
    """One request on a connection of its own, under way.

    Works on the socket itself: asyncio's streams throw away an answer that came just before a reset.
    """

    def __init__(self, connected: socket.socket, request: bytes) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._is_head = request.startswith(b"HEAD ")
        self._sending = self._loop.create_task(self._send(request))
        self.response = RawResponse()

    async def _send(self, request: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._socket, request)
        except OSError:
            pass  # refused before the body was read: the answer is there to be read

    async def _more(self) -> None:
        data = await self._loop.sock_recv(self._socket, 65536)
        if not data:
            raise ConnectionError("The connection was closed before the message was complete.")
        self._buffer += data

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        return self._take(end + 2)[:-2]

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def head(self) -> RawResponse:
        """Read until the status line and the headers are there."""
        status_line = await self._line()
        while line := (await self._line()).decode("latin-1"):
            name, _, value = line.partition(":")
            self.response.headers.append((name.lower(), value.strip()))
        self.response.status = int(status_line.split(b" ")[1])
        return self.response

    async def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty at its end."""
        size = int((await self._line()).partition(b";")[0], 16)
        while len(self._buffer) < size + 2:
            await self._more()
        data = self._take(size + 2)[:-2]
        if data:
            self.response.chunks.append((time.monotonic(), data))
        else:
            self.response.complete = True
        return data

    async def read(self) -> RawResponse:
        """Read what is left; never raises for a connection that ends early."""
        try:
            if self.response.status is None:
                await self.head()
            await self._read_body()
        except ConnectionError as error:
            self.response.error = str(error)
        return self.response

    async def finish(self) -> RawResponse:
        """Read what is left and close; never raises for a connection that ends early."""
        try:
            return await self.read()
        finally:
            await self.leave()

    def again(self, request: bytes) -> "RawExchange":
        """Send these bytes on the same connection, once the answer before has been read."""
        return RawExchange(self._socket, request)

    def half_close(self) -> None:
        """Say that nothing more will be sent, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    async def _read_body(self) -> None:
        if self._is_head or self.response.status in (204, 304):
            self.response.complete = True
            return
        if self.response.header("transfer-encoding") == "chunked":
            while await self.chunk():
                pass
            return
        length = self.response.header("content-length")
        try:
            while length is None or len(self._buffer) < int(length):
                await self._more()
            self.response.complete = True
        except ConnectionError:
            if length is not None:
                raise
            self.response.complete = True
        finally:
            self.response.chunks.append((time.monotonic(), self._take(len(self._buffer))))

    async def leave(self) -> None:
        """Close the connection at once, whatever is still to come."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        self._socket.close()


class RawClient:
    """Sends requests, each on a connection of its own, unless its exchange is asked `again`."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def encoded(
        self, method: str, path: str, *, headers: HeaderList = (), body: bytes = b"", keep_alive: bool = False
    ) -> bytes:
        """The bytes of a request."""
        fields = [("host", f"{self.host}:{self.port}"), *([] if keep_alive else [("connection", "close")]), *headers]
        if body or method in ("POST", "PUT", "PATCH"):
            fields.append(("content-length", str(len(body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body

    async def send(self, method: str, path: str, *, headers: HeaderList = (), body: bytes = b"") -> RawExchange:
        """Send a request and return without waiting for anything."""
        return await self.send_bytes(self.encoded(method, path, headers=headers, body=body))

    async def send_bytes(self, request: bytes) -> RawExchange:
        """Send these bytes, whatever they are, on a new connection."""
        connected = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        connected.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connected, (self.host, self.port))
        except BaseException:
            connected.close()
            raise
        return RawExchange(connected, request)

    async def request(self, method: str, path: str, *, headers: HeaderList = (), body: bytes = b"") -> RawResponse:
        """Send a request and read the whole response."""
        return await (await self.send(method, path, headers=headers, body=body)).finish()

    async def chat(self, model_id: str, text: str = "hi", *, key: str | None = None, **settings: Any) -> RawResponse:
        """Ask the custom route as Chatbot UI's page does."""
        return await (await self.open_chat(model_id, text, key=key, **settings)).finish()

    async def open_chat(
        self, model_id: str, text: str = "hi", *, key: str | None = None, **settings: Any
    ) -> RawExchange:
        """Ask the custom route and return without waiting for the answer."""
        body = {
            "chatSettings": {"model": "m", "temperature": 0.5, **settings},
            "messages": [{"role": "user", "content": text}],
            "customModelId": model_id,
        }
        headers = [("content-type", "text/plain;charset=UTF-8")]
        if key is not None:
            headers.append(("authorization", f"Bearer {key}"))
        return await self.send("POST", "/api/chat/custom", headers=headers, body=msgspec.json.encode(body))
