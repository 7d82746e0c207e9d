"""Client and upstream in one hand: nothing is written before what was written last has had its effect."""

import re
import select
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from bench.budgets.shapes import text

_LIMIT = 120.0
_LENGTH = re.compile(rb"^content-length: *([0-9]+)\r$", re.I | re.M)


class Lost(Exception):
    """An exchange did not go as it has to; the message says what came instead."""


class Counted(Exception):
    """The gateway could not be counted; the message says why."""


class Lockstep:
    """Asks one gateway one thing at a time, and is the upstream that it asks.

    A read of the gateway brings one write of the upstream, whatever the machine does meanwhile: so counts repeat.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._upstreams: list[socket.socket] = []
        self._clients: dict[str, socket.socket] = {}
        self.port: int = self._listener.getsockname()[1]
        """Of the upstream."""

    def ask(self, port: int, request: bytes, writes: Sequence[bytes], pieces: int, together: int = 1) -> None:
        """One whole exchange; raises `Lost` when the client got anything but these pieces."""
        client = self._client("client", port)
        client.sendall(request)
        upstream = self._asked(client)
        answer = b""
        for number, write in enumerate(writes):
            upstream.sendall(write)
            while answer.count(b"#") < min(pieces, (number + 1) * together):
                answer += self._next(client, answer)
        while not _complete(answer):
            answer += self._next(client, answer)
        heard = [int(number) for number in re.findall(rb"#([0-9]{5}) ", answer)]
        if not answer.startswith(b"HTTP/1.1 200") or heard != list(range(pieces)):
            raise Lost(f"{pieces} pieces like {text(0)!r} were sent, and this came: {answer[:600]!r}")

    def control(self, port: int, word: str) -> Mapping[str, int]:
        """Tell the plugin that counts; its counts."""
        control = self._client("control", port)
        control.sendall(f"GET /counting?{word} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
        answer = b""
        while not _complete(answer):
            answer += self._next(control, answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise Counted(f"/counting?{word} was answered {head[:200]!r}")
        return msgspec.json.decode(body, type=dict[str, int])

    def _client(self, name: str, port: int) -> socket.socket:
        if name not in self._clients:
            self._clients[name] = socket.create_connection(("127.0.0.1", port), timeout=_LIMIT)
        return self._clients[name]

    def _asked(self, client: socket.socket) -> socket.socket:
        """The connection on which the gateway's request has come whole."""
        while True:
            ready, _, _ = select.select([self._listener, client, *self._upstreams], (), (), _LIMIT)
            if not ready:
                raise Lost("The gateway did not ask its upstream.")
            for one in ready:
                if one is client:
                    raise Lost(f"The gateway answered before it asked: {client.recv(600)!r}")
                if one is self._listener:
                    connected, _ = self._listener.accept()
                    connected.settimeout(_LIMIT)
                    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._upstreams.append(connected)
                elif self._took(one):
                    return one

    def _took(self, upstream: socket.socket) -> bool:
        """Whether a request has come; a connection that was closed is forgotten."""
        request = b""
        while not _complete(request):
            data = upstream.recv(1 << 16)
            if not data:
                self._upstreams.remove(upstream)
                upstream.close()
                return False
            request += data
        return True

    def _next(self, connection: socket.socket, so_far: bytes) -> bytes:
        data = connection.recv(1 << 16)
        if not data:
            raise Lost(f"The gateway hung up behind {so_far[-300:]!r}")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (*self._clients.values(), *self._upstreams, self._listener):
            one.close()


def _complete(message: bytes) -> bool:
    head, found, body = message.partition(b"\r\n\r\n")
    if not found:
        return False
    if length := _LENGTH.search(head + b"\r"):
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")
