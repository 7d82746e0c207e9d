"""`python holding_upstream.py`: an upstream that begins every answer and ends it when it is told to, by SIGUSR1.

One small protocol object for each connection, so that ten thousand fit into a process. Prints its port.
"""

import asyncio
import signal

from gateway.testing.upstream import chat_events

_FIRST, _REST = chat_events("held"), chat_events("held", finish=None)
BEGIN = b"".join(_FIRST[: len(_REST)])
END = b"".join(_FIRST[len(_REST) :])
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Holding(asyncio.Protocol):
    """Answers what it takes for a request as soon as its body has begun."""

    __slots__ = ("held", "transport")

    def __init__(self, held: "set[Holding]") -> None:
        self.held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self not in self.held:
            self.held.add(self)
            self.transport.write(HEAD + chunk(BEGIN))

    def connection_lost(self, error: Exception | None) -> None:
        self.held.discard(self)


async def main() -> None:
    loop, held = asyncio.get_running_loop(), set()

    def end() -> None:
        for one in tuple(held):
            held.discard(one)
            one.transport.write(chunk(END) + b"0\r\n\r\n")

    loop.add_signal_handler(signal.SIGUSR1, end)
    server = await loop.create_server(lambda: Holding(held), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
