"""`python -m bench.inside`: one gateway in a process of its own that measures itself, a line of stdin at a time.

It is assembled as `gateway serve` does it, with all its plugins, from the environment; a request enters where uvicorn
would hand it over, and the answer leaves there. Each line names a window; each line of stdout is what one of its units
cost, in nanoseconds of this thread.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.gateways import BODIES, SURFACES
from bench.inside.feed import EVENTS, FEED, JSON, Feed
from bench.inside.windows import COMPLETION, STREAM, Order, Window, reads
from bench.target import Ask
from gateway.app import Application, create
from gateway.settings import load_settings


class Wrong(Exception):
    """The gateway answered otherwise than it was fed; the message says what came."""


class Inside:
    """Asks one application in its own process."""

    def __init__(self, application: Application, order: Order) -> None:
        self._application = application
        self._stream = Path(order.stream).read_bytes()
        self._key = Path(order.key).read_bytes()
        self._completion = Path(order.completion).read_bytes()

    async def cost(self, surface: str, window: Window) -> float:
        """What one unit of the window costs, in nanoseconds."""
        if not window.together:
            return await self._requests(surface, window.units)
        fed = reads(self._stream, window.together)
        feed = Feed(fed)
        got = await self._ask(surface, feed, stream=True)
        if got.count(b"#") != b"".join(fed).count(b"#"):
            raise Wrong(f"{surface}: {got[:200]!r} and {len(got)} bytes in all")
        return feed.nanoseconds / b"".join(fed[1:-1]).count(b"#")

    async def _requests(self, surface: str, count: int) -> float:
        streamed = surface == "custom"
        fed = reads(self._stream, 0) if streamed else [self._completion]
        spent = 0
        for _ in range(count):
            began = time.thread_time_ns()
            got = await self._ask(surface, Feed(fed, EVENTS if streamed else JSON), stream=streamed)
            await asyncio.sleep(0)  # what is settled behind the answer
            spent += time.thread_time_ns() - began
            if got.count(b"#") != 1:
                raise Wrong(f"{surface}: {got[:200]!r}")
        return spent / count

    async def _ask(self, surface: str, feed: Feed, *, stream: bool) -> bytes:
        body = BODIES[surface](Ask(STREAM if stream else COMPLETION, stream))
        given = iter([{"type": "http.request", "body": body, "more_body": False}])
        sent: list[bytes] = []
        status = 0

        async def receive() -> Any:
            return next(given, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            sent.append(message.get("body", b""))

        FEED.set(feed)
        await self._application(self._scope(SURFACES[surface], body), receive, send)
        if status != 200:
            raise Wrong(f"{surface}: status {status}, {b''.join(sent)[:200]!r}")
        return b"".join(sent)

    def _scope(self, path: str, body: bytes) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                (b"host", b"bench"),
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                (b"authorization", b"Bearer " + self._key),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {},
        }


async def serve(order: Order) -> None:
    """Measure what stdin asks for, until it ends."""
    settings = load_settings()
    application = create(settings.model_copy(update={"plugin_files": tuple(Path(file) for file in order.plugins)}))
    async with application.running():
        gc.collect()
        gc.freeze()  # as the server does once it listens
        inside = Inside(application, order)
        print(" ".join(entry.name for entry in application.plugins.active), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            surface, window = line.split(maxsplit=1)
            print(await inside.cost(surface, msgspec.json.decode(window, type=Window)), flush=True)
        await application.drain(asyncio.Event())


if __name__ == "__main__":
    uvloop.run(serve(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Order)))
