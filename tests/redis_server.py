"""A real redis-server on a free port of loopback, which can be stopped, frozen and started again; a gate before it."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

import pytest

SERVER = "needs redis-server: apt-get install redis-server"
LIBRARY = "needs the library redis: pip install 'redis>=7'"
_START_SECONDS = 60.0


def program() -> str:
    """Where redis-server (or Valkey's) is; skips where it or its library is missing."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    missing = LIBRARY if find_spec("redis") is None else "" if found else SERVER
    if missing and os.environ.get("TEST_REQUIRE") == "all":
        pytest.fail(missing)
    if missing or found is None:
        pytest.skip(missing)
    return found


class RedisServer:
    """One server; nothing of it is kept on a disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Run, and return when it answers."""
        arguments = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder))
        self._process = self._run(*arguments)
        async with asyncio.timeout(_START_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    def _run(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([self._program, *arguments], stdout=subprocess.DEVNULL)

    def freeze(self) -> None:
        """Connections stay open and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End, with all that it knew."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


Way = Literal["asked", "answered"]


class Gate:
    """Stands before the server, and keeps back one script that it is asked to run, or its answer."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._keeps: Way | None = None
        self._open = asyncio.Event()
        self._passing: set[asyncio.Task[None]] = set()
        self.kept = asyncio.Event()
        """What was to be kept is here."""
        self.answered = asyncio.Event()
        """The server has answered something since `keep`."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._front.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._front = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._front.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def keep(self, way: Way) -> None:
        """Keep the next script that is asked for, or its answer, until `let_through`; all beside it passes."""
        self._keeps = way
        for event in (self.kept, self.answered, self._open):
            event.clear()

    def let_through(self) -> None:
        self._open.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server.port)
        awaited = asyncio.Event()
        with contextlib.closing(writer), contextlib.closing(to_server):
            await asyncio.gather(
                self._pass(reader, to_server, lambda data: self._ask(data, awaited)),
                self._pass(from_server, writer, lambda _: self._answer(awaited)),
            )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, let: Callable[[bytes], Awaitable[None]]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await let(data)
                writer.write(data)
            # The other way stays open: what was asked is answered to who has left, too.
            writer.write_eof()

    async def _ask(self, data: bytes, awaited: asyncio.Event) -> None:
        if self._keeps is None or b"EVALSHA" not in data:
            return
        keeps, self._keeps = self._keeps, None
        if keeps == "asked":
            await self._hold()
        else:
            awaited.set()

    async def _answer(self, awaited: asyncio.Event) -> None:
        self.answered.set()
        if awaited.is_set():
            awaited.clear()
            await self._hold()

    async def _hold(self) -> None:
        self.kept.set()
        await self._open.wait()
