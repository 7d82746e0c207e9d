"""An upstream that knows which process asked it for which exchange, and when: what a restart is judged by.

A plugin in every worker writes the exchange, its process and the time into the request's field `user`, and tells when
its worker starts.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest

WORDS = ("Nothing ", "is ", "lost ", "on ", "the ", "way.")

MARK = """
import asyncio, json, os, time
import msgspec
from contextlib import asynccontextmanager
from gateway import hookimpl

PROCESS = f"{os.getpid()}-{time.monotonic_ns()}"

class Mark:
    async def transform(self, request, exchange):
        mark = json.dumps(f"{exchange.id} {PROCESS} {time.monotonic()}")
        return request.with_fields(user=msgspec.Raw(mark.encode()))

@hookimpl
def register_request_transforms():
    return [Mark()]

@hookimpl
def lifespan():
    @asynccontextmanager
    async def life():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["MARK_PORT"]))
        writer.write(f"GET /starts/{PROCESS} HTTP/1.1\\r\\nconnection: close\\r\\n\\r\\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()
        yield
    return life()
"""


WARM = """
import multiprocessing, sys

if multiprocessing.parent_process() is None:
    forking = multiprocessing.get_context("forkserver")
    ours = [name for name in sys.modules if name.startswith("gateway")]
    forking.set_forkserver_preload(["gateway.cli.worker", "gateway.app", "gateway.server", *ours])
    multiprocessing.get_context = lambda method=None: forking
"""
"""Beside it, the plugin makes workers out of a process that has imported all they need, and serves nothing itself: a
start then takes a tenth of the time, and a thousand are possible. Without, workers start as users' do."""


class Asked(NamedTuple):
    """One request of an upstream: an attempt that certainly began."""

    exchange: str
    process: str
    """Its number and when it began, because the system gives numbers again."""
    began: float
    """When its worker was about to begin it, by the clock that all processes share (`time.monotonic()`, Linux)."""


def tokens(exchange: str) -> tuple[int, int]:
    """What the upstream reports for an exchange: a row that says other numbers is another exchange's, or torn."""
    return int(exchange[:4], 16) + 1, int(exchange[4:8], 16) + 1


class Teller(LoopbackServer):
    """Answers every exchange with the same words, and with a usage of its own.

    With `held` set, an answer waits after its first word until `go_on` is called, and one under `/silent/` before it.
    """

    def __init__(self, *, pause: float = 0.004) -> None:
        super().__init__()
        self._pause = pause
        self.asked: list[Asked] = []
        self.held = False
        self._go_on = asyncio.Event()
        self.on_asked: Callable[[Asked], None] = lambda asked: None
        """Called before an answer begins."""
        self.on_start: Callable[[str], None] = lambda process: None
        """Called when a worker starts: it has opened the database, and not yet its journal."""
        self.may_start = asyncio.Event()
        """While it is not set, a worker that starts comes no further."""
        self.may_start.set()

    def go_on(self) -> None:
        """Let everything that is held go on."""
        self._go_on.set()

    def hold(self) -> None:
        """Hold what is asked from now on until the next `go_on`."""
        self.held, self._go_on = True, asyncio.Event()

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Note who asks, and tell."""
        if request.target.startswith("/starts/"):
            self.on_start(request.target.rpartition("/")[2])
            await self.may_start.wait()
            connection.reply(200, b"{}")
            return
        exchange, process, began = request.json()["user"].split()
        asked = Asked(exchange, process, float(began))
        self.asked.append(asked)
        self.on_asked(asked)
        if self.held and request.target.startswith("/silent/"):
            await self._wait(connection)
        if not request.json().get("stream"):
            if await connection.stays(self._pause):
                connection.reply(200, _whole(exchange))
            return
        connection.send_head(200, (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")))
        for number, event in enumerate(_events(exchange)):
            connection.send_chunk(b"data: " + event + b"\n\n")
            if number == 1 and self.held:
                await self._wait(connection)
            if not await connection.stays(self._pause):
                return
        connection.send_chunk(b"")

    async def _wait(self, connection: Connection) -> None:
        going, leaving = (asyncio.ensure_future(event.wait()) for event in (self._go_on, connection.gone))
        try:
            await asyncio.wait((going, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
            leaving.cancel()


def _usage(exchange: str) -> dict[str, int]:
    asked, said = tokens(exchange)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _whole(exchange: str) -> bytes:
    message = {"role": "assistant", "content": "".join(WORDS)}
    head = {"id": f"chatcmpl-{exchange}", "object": "chat.completion", "created": int(time.time()), "model": "m"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return msgspec.json.encode(head | {"choices": choices, "usage": _usage(exchange)})


def _events(exchange: str) -> list[bytes]:
    head = {"id": f"chatcmpl-{exchange}", "object": "chat.completion.chunk", "created": int(time.time()), "model": "m"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in WORDS)]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    said_all = [*chunks, finish, {"choices": [], "usage": _usage(exchange)}]
    return [*(msgspec.json.encode(head | chunk) for chunk in said_all), b"[DONE]"]
