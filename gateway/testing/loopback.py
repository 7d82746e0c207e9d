"""A small HTTP/1.1 server on a real loopback socket: what the demo, scripted and PostgREST upstreams stand on."""

import asyncio
import time
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import msgspec

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class ReceivedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived."""

    method: str
    target: str
    """Path and query exactly as sent."""
    headers: tuple[tuple[str, str], ...]
    """In the order received, names in lower case."""
    body: bytes
    at: float
    """`time.monotonic()` when the body was complete."""

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Connection(asyncio.StreamReaderProtocol):
    """One client's connection; says when the client has closed it."""

    def __init__(self, server: "LoopbackServer") -> None:
        self.reader = asyncio.StreamReader()
        super().__init__(self.reader)
        self._server = server
        self.gone = asyncio.Event()
        """Set once the peer has closed or reset the connection."""
        self.gone_at: float | None = None
        self.writer: asyncio.StreamWriter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the peer until one side closes."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        loop = asyncio.get_running_loop()
        self.writer = asyncio.StreamWriter(transport, self, self.reader, loop)
        self._server.open_connections[self] = loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            while (request := await self._read_request()) is not None:
                await self._server.answer(request, self)
                if request.header("connection") == "close":
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the peer left, or does not speak HTTP: nothing to answer
        finally:
            self._server.open_connections.pop(self, None)
            self.writer.close()

    async def _read_request(self) -> ReceivedRequest | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        request_line, *lines = head.decode("latin-1")[:-4].split("\r\n")
        method, target, version = request_line.split(" ")
        if not version.startswith("HTTP/1."):
            return None
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        body = await self._read_body(dict(headers))
        return ReceivedRequest(method=method, target=target, headers=headers, body=body, at=time.monotonic())

    async def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = bytearray()
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return bytes(body)

    def eof_received(self) -> bool:
        """The peer has closed its half; a client of an HTTP server that does so has left."""
        self._note_gone()
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._note_gone()
        super().connection_lost(exc)

    def _note_gone(self) -> None:
        if self.gone_at is None:
            self.gone_at = time.monotonic()
        self.gone.set()

    async def stays(self, seconds: float) -> bool:
        """Wait; False as soon as the peer has left."""
        try:
            await asyncio.wait_for(self.gone.wait(), seconds)
        except TimeoutError:
            return True
        return False

    def send_head(self, status: int, headers: "tuple[tuple[str, str], ...]" = ()) -> None:
        """Write a status line and these headers."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.writer.write(f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1"))

    def send_chunk(self, data: bytes) -> None:
        """Write one chunk of a chunked body; an empty one ends it."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def reply(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """Write a whole response."""
        self.send_head(status, (("content-type", content_type), ("content-length", str(len(body)))))
        self.writer.write(body)


class LoopbackServer:
    """An async context manager that listens while it is entered; subclasses write `answer`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        """The real port once entered."""
        self.open_connections: dict[Connection, asyncio.Task[None]] = {}
        self.accepted = 0
        """How many connections were ever made."""
        self._server: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        """`http://host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Answer one request; close `connection.writer` to end the connection after it."""
        connection.reply(404, b"{}")

    def _accept(self) -> Connection:
        self.accepted += 1
        return Connection(self)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = dict(self.open_connections)
        for connection, task in tasks.items():
            connection.writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await self._server.wait_closed()
