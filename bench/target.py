"""What can be measured: a running server that forwards chat completions to the upstream."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bench.machine import family, pinned

_START_LIMIT = 120.0
_STOP_LIMIT = 30.0


class Unavailable(Exception):
    """This contestant cannot be measured here; the message says why, and what would help."""


class Ask(msgspec.Struct, frozen=True):
    """What a scenario asks for: the model says what the upstream does."""

    model: str
    stream: bool
    prompt: str = "Hello!"
    tls: bool = False


class Target(msgspec.Struct, frozen=True):
    """A running server on one of its surfaces."""

    name: str
    port: int
    pids: tuple[int, ...]
    body: Callable[[Ask], bytes]
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = {}
    text: bool = False
    """Answers are plain text, and always streams."""
    loose: bool = False
    """It writes events anew: only the text in them is compared."""
    tls: bool = False
    """It can reach the upstream that speaks TLS."""
    only: tuple[str, ...] = ()
    """It takes part in these scenarios only; empty: in all."""
    shared: bool = False
    """The others need its process, too: it is never stopped."""

    def request(self, ask: Ask) -> bytes:
        """The request as it goes over the wire."""
        body = self.body(ask)
        headers = {
            "host": f"127.0.0.1:{self.port}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self.headers,
        }
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def kind(self, ask: Ask) -> str:
        """How the load client reads its answers."""
        return "text" if self.text else "sse" if ask.stream else "json"


def chat_body(ask: Ask) -> bytes:
    """A chat completion request, as the openai SDK would send it."""
    asked: dict[str, object] = {"messages": [{"role": "user", "content": ask.prompt}], "model": ask.model}
    return msgspec.json.encode(asked | {"stream": True} if ask.stream else asked)


class Server:
    """A started server: its processes, its port, what it printed."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, launched: float) -> None:
        self.process = process
        self.log = log
        self.launched = launched
        """`time.monotonic()` just before its process was made."""
        self.port = 0

    @property
    def pids(self) -> tuple[int, ...]:
        """Its processes."""
        return family(self.process.pid)

    @property
    def printed(self) -> str:
        """What it printed so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, pattern: str) -> str:
        """Wait until it has printed this; the first group."""
        return self.until(lambda: (told := re.search(pattern, self.printed, re.M)) and told[1])

    def until(self, look: Callable[[], str | None]) -> str:
        """Wait until `look` finds something."""
        end = time.monotonic() + _START_LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            if found := look():
                return found
            time.sleep(0.01)
        ending = "\n".join(self.printed.splitlines()[-6:])
        raise Unavailable(f"it did not start: {ending}")


@contextmanager
def started(
    command: Sequence[str], cores: frozenset[int], folder: Path, environ: Mapping[str, str]
) -> Iterator[Server]:
    """Run a server on these cores while the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    launched = time.monotonic()
    with log.open("wb") as out, pinned(cores):
        try:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=dict(environ)
            )
        except OSError as error:
            raise Unavailable(f"{command[0]}: {error.strerror}") from error
    try:
        yield Server(process, log, launched)
    finally:
        children = family(process.pid)[1:] if process.poll() is None else ()
        process.send_signal(signal.SIGCONT)  # who is stopped would not end
        _send(signal.SIGCONT, children)
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _send(signal.SIGKILL, children)  # those it has left behind


def _send(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
