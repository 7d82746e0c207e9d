"""A dial to an address is the kernel's affair alone: no thread of a resolver stands between."""

import subprocess
import sys

import pytest

_DIAL = """
import asyncio, os, socket, sys, uvloop
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import UpstreamUnreachable

async def main():
    family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    listener = socket.create_server((sys.argv[2], 0), family=family)
    port = listener.getsockname()[1]
    host = f"[{sys.argv[2]}]" if ":" in sys.argv[2] else sys.argv[2]
    async def answer(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
    server = await asyncio.start_server(answer, sock=listener)
    client = EgressClient(EgressPolicy(allow=(f"{host}:{port}", f"{host}:1")))
    before = len(os.listdir("/proc/self/task"))
    response = await client.send("GET", f"http://{host}:{port}/")
    print(response.status, "threads", len(os.listdir("/proc/self/task")) - before)
    response.close()
    try:
        await client.send("GET", f"http://{host}:1/")
    except UpstreamUnreachable as error:
        print(type(error).__name__, error.detail.split(": ")[0])
    await client.aclose()
    server.close()

make = uvloop.new_event_loop if sys.argv[1] == "uvloop" else asyncio.new_event_loop
with asyncio.Runner(loop_factory=make) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_address_is_dialled_without_a_thread(loop: str, address: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIAL, loop, address], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["200 threads 0", "UpstreamUnreachable [Errno 111] Connection refused"]
