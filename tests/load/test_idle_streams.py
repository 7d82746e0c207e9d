"""Streams that have begun and say nothing are held by two workers; each costs little, and every one is ended properly.

`make load` holds 10,000 (LOAD_STREAMS) and prints what one takes.
"""

import asyncio
import os
import re
import resource
import signal
import sys
from pathlib import Path

import msgspec
import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway

STREAMS = int(os.environ.get("LOAD_STREAMS", "100"))
HELD_SECONDS = float(os.environ.get("LOAD_HELD_SECONDS", "0"))
WORKERS = 2
AT_ONCE = 50
LIMIT = 30 * 1024
"""Bytes of a worker's memory for one stream; looked at where there are enough to tell."""
ENOUGH = 5000
MODEL = "1d1e0000-0000-4000-8000-000000000001"
BODY = {
    "chatSettings": {"model": "m", "temperature": 0.5},
    "messages": [{"role": "user", "content": "hi"}],
    "customModelId": MODEL,
}
BUCKET = re.compile(r'^gateway_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.M)


class Stream(asyncio.Protocol):
    """One client's answer so far."""

    __slots__ = ("begun", "data", "over", "transport")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.data = bytearray()
        self.begun, self.over = loop.create_future(), loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        if b"held" in self.data and not self.begun.done():
            self.begun.set_result(None)
        if self.data.endswith(b"0\r\n\r\n"):
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        for future in (self.begun, self.over):
            if not future.done():
                future.set_result(None)


def raised_limit() -> int:
    """Descriptors this process may have, all the system gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def workers_of(pid: int) -> list[int]:
    """The serving processes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    named = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in named.items() if b"resource_tracker" not in line]


def resident(pid: int) -> int:
    """Bytes of memory that are the process's own."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M)) * 1024


async def lag(gateway: RunningGateway, key: str) -> dict[float, float]:
    """How many looks at the event loop found it at most so late."""
    answer = await gateway.client.request("GET", "/metrics", headers=[("authorization", f"Bearer {key}")])
    return {float(bound): float(count) for bound, count in BUCKET.findall(answer.body.decode())}


def p99(before: dict[float, float], after: dict[float, float]) -> float:
    """The bound below which 99 of 100 looks between were."""
    counts = {bound: after[bound] - before[bound] for bound in after}
    return next(bound for bound, count in sorted(counts.items()) if count >= 0.99 * counts[float("inf")])


async def test_idle_streams_are_held_and_ended_properly(tmp_path, capsys):
    if raised_limit() < 2 * STREAMS // WORKERS + 1000:
        pytest.skip(f"{STREAMS} streams need more descriptors than the system gives (ulimit -Hn)")
    upstream = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("holding_upstream.py")), stdout=asyncio.subprocess.PIPE
    )
    try:
        port = int(await upstream.stdout.readline())
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
            "GATEWAY_SERVER__MAX_LAG": "60",  # they all come at once
        }
        model = NewModel(
            id=MODEL, name="m", model_id="m", base_url=f"http://127.0.0.1:{port}/v1", timeouts={"idle": 3600}
        )
        keys = await seed(tmp_path, environ, models=[model], keys={"boss": None}, admins=["boss"])
        async with RunningGateway(tmp_path, environ=environ, arguments=("--workers", str(WORKERS))) as gateway:
            request = gateway.client.encoded(
                "POST", "/api/chat/custom", body=msgspec.json.encode(BODY), keep_alive=True
            )
            for _ in range(3):  # what every worker makes once is no stream's
                await warm(gateway, request, upstream)
            pids = workers_of(gateway.pid)
            before = [resident(pid) for pid in pids]
            streams = [one for _ in range(0, STREAMS, AT_ONCE) for one in await opened(gateway, request)]
            looked = await lag(gateway, keys["boss"])
            await asyncio.sleep(HELD_SECONDS)
            each = (sum(map(resident, pids)) - sum(before)) / len(streams)
            late = p99(looked, await lag(gateway, keys["boss"])) if HELD_SECONDS else None
            shares = [len(os.listdir(f"/proc/{pid}/fd")) // 2 for pid in pids]
            upstream.send_signal(signal.SIGUSR1)
            async with asyncio.timeout(300):
                await asyncio.gather(*(stream.over for stream in streams))
            for stream in streams:
                stream.transport.close()
            whole = sum(stream.data.endswith(b"\r\nheld\r\n0\r\n\r\n") for stream in streams)
            with capsys.disabled():
                print(
                    f"\n{len(streams)} idle streams over {WORKERS} workers ({' + '.join(map(str, shares))}): "
                    f"{each / 1024:.1f} KiB each, {whole} ended properly"
                    + ("" if late is None else f", loop lag p99 <= {1000 * late:g} ms")
                )
            assert whole == len(streams)
            assert "Traceback" not in gateway.log
            if STREAMS >= ENOUGH:
                assert each <= LIMIT
    finally:
        upstream.kill()
        await upstream.wait()


async def opened(gateway: RunningGateway, request: bytes, count: int = AT_ONCE) -> list[Stream]:
    """So many streams more, begun."""
    loop = asyncio.get_running_loop()
    made = await asyncio.gather(*(loop.create_connection(Stream, gateway.host, gateway.port) for _ in range(count)))
    for transport, _ in made:
        transport.write(request)
    async with asyncio.timeout(300):
        await asyncio.gather(*(stream.begun for _, stream in made))
    return [stream for _, stream in made]


async def warm(gateway: RunningGateway, request: bytes, upstream: asyncio.subprocess.Process) -> None:
    """Some streams, begun and ended."""
    streams = await opened(gateway, request, 8)
    upstream.send_signal(signal.SIGUSR1)
    await asyncio.gather(*(stream.over for stream in streams))
    for stream in streams:
        stream.transport.close()
