"""Descriptors run out: nobody new is taken up, what runs goes on, and it ends by itself.

That nothing spins meanwhile is counted in tests/unit/server/test_accepting.py.
"""

import asyncio
import os
import re
import resource
import socket
from pathlib import Path

import msgspec
import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

MODEL = "f11e0000-0000-4000-8000-000000000001"
LEFT = 48
"""Descriptors that the server may still open."""

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux)")


async def until(gateway: RunningGateway, event: str) -> None:
    """Wait until the log says so."""
    async with asyncio.timeout(60):
        while event not in gateway.log:
            await asyncio.sleep(0.05)


async def test_accepting_pauses_without_descriptors_and_goes_on_with_some(tmp_path):
    async with ScriptedUpstream() as upstream:
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
        }
        base_url = upstream.play("m", msgspec.structs.replace(stream(*chat_events("one", "two")), gated=True))
        await seed(tmp_path, environ, models=[NewModel(id=MODEL, name="m", model_id="m", base_url=base_url)])
        async with RunningGateway(tmp_path, environ=environ) as gateway:
            running = await gateway.client.open_chat(MODEL)
            seen = await upstream.wait_for("m")
            seen.go_on()
            assert (await running.head()).status == 200
            highest = max(map(int, os.listdir(f"/proc/{gateway.pid}/fd")))
            before = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (highest + LEFT, before[1]))
            crowd = [socket.create_connection((gateway.host, gateway.port)) for _ in range(3 * LEFT)]
            await until(gateway, "accepting_paused")
            paused, again = (gateway.log.count(f"accepting_{word}") for word in ("paused", "again"))
            assert paused == again + 1, "it is said when it begins, not at every try"
            for _ in range(4):
                seen.go_on()
            answer = await running.finish()
            assert (answer.body.decode(), answer.complete) == ("onetwo", True)
            for one in crowd:
                one.close()
            upstream.play("m", stream(*chat_events("three")))
            async with asyncio.timeout(60):
                answer = await gateway.client.chat(MODEL)
            assert (answer.body.decode(), answer.complete) == ("three", True)
            await until(gateway, "accepting_again")
            assert "Traceback" not in gateway.log


async def test_the_table_of_descriptors_need_not_grow_under_load(tmp_path):
    """Each time it grows, a process with threads stands still until every core has gone through the scheduler."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    async with RunningGateway(tmp_path, environ={}) as gateway:
        assert _room(gateway) >= min(most, 65_536)


def _room(gateway: RunningGateway) -> int:
    """For how many descriptors the kernel has a table."""
    status = Path(f"/proc/{gateway.pid}/status").read_text("ascii")
    [size] = re.findall(r"^FDSize:\s+(\d+)$", status, re.M)
    return int(size)
