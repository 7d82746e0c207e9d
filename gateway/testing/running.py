"""The whole gateway as it runs for users: a process of its own on a free port."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.testing.client import RawClient

_LISTENING = re.compile(r"^Listening on: +http://.*:([0-9]+)$", re.MULTILINE)
_START_LIMIT = 60.0
_STOP_LIMIT = 30.0


class GatewayFailed(RuntimeError):
    """A gateway command ended otherwise than it should; the message holds what it printed."""


class RunningGateway:
    """An async context manager that runs `gateway serve` and is ready for requests once entered.

    `data_dir` keeps the database between two runs. `environ` adds to a clean environment: nothing set for the
    calling process leaks in. With `unready` it is entered as soon as it lives, as one whose database is away does.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        unready: bool = False,
    ) -> None:
        self.data_dir = data_dir
        self.host = "127.0.0.1"
        self.port = 0
        self._environ = {**_clean_environ(), "GATEWAY_DATA_DIR": str(data_dir), **(environ or {})}
        self._arguments = arguments
        self._entered_at = "/health/live" if unready else "/health/ready"
        self._process: asyncio.subprocess.Process | None = None
        self._log_path = data_dir / "serve.log"

    @property
    def client(self) -> RawClient:
        """A client of this gateway."""
        return RawClient(self.host, self.port)

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the server's process has ended, asked to or by itself."""
        assert self._process is not None
        return self._process.returncode is not None

    @property
    def log(self) -> str:
        """All that the server has printed so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def descriptors(self) -> int:
        """How many file descriptors the server holds (Linux)."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    async def command(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run another `gateway` command with the same settings; what it printed on stdout."""
        process = await self.start_command(*arguments)
        out, err = await process.communicate(stdin)
        if process.returncode != 0:
            raise GatewayFailed(f"gateway {' '.join(arguments)}: exit code {process.returncode}\n{err.decode()}")
        return out.decode()

    async def start_command(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start another `gateway` command with the same settings, its three streams piped."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *arguments),
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.data_dir,
        )

    def send(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask the server to end, as a service manager does; its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), _STOP_LIMIT)

    async def __aenter__(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        serve = ("serve", "--host", self.host, "--port", "0", *self._arguments)
        with self._log_path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", *serve),
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data_dir,
            )
        try:
            await asyncio.wait_for(self._ready(), _START_LIMIT)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _ready(self) -> None:
        assert self._process is not None
        while self._process.returncode is None:
            told = _LISTENING.search(self.log)
            if told is not None:
                self.port = int(told[1])
                if await self._answers():
                    return
            await asyncio.sleep(0.02)
        raise GatewayFailed(f"gateway serve: exit code {self._process.returncode}\n{self.log}")

    async def _answers(self) -> bool:
        try:
            return (await self.client.request("GET", self._entered_at)).status == 200
        except ConnectionError:
            return False  # bound, and not yet listening


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
