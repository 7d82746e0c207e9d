"""A real redis-server on a free port of loopback, which can be stopped, frozen and started again."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

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
