"""Switches that are being made when the gateway is told to stop."""

import asyncio
import os
import signal

from control_plane import JSON, Admin, config
from seeding import seed

from gateway.testing.running import RunningGateway

HANG = 60


async def test_switches_are_answered_although_the_gateway_ends(tmp_path):
    """They wait for each other and for the other workers, one that hangs too; the end breaks none off."""
    environ = config(tmp_path)
    await seed(tmp_path / "data", environ, keys={"boss": None}, admins=["boss"])
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--workers", "2")) as gateway:
        admin = Admin(gateway)
        async with asyncio.timeout(HANG):
            while len(workers := (await admin.get("/generations"))["workers"]) < 2:
                await asyncio.sleep(0.1)
        os.kill(hanging := workers[1]["pid"], signal.SIGSTOP)
        headers = [("authorization", f"Bearer {admin.key}"), JSON]
        switching = [await gateway.client.send("POST", "/admin/plugins/reload", headers=headers) for _ in range(4)]
        async with asyncio.timeout(HANG):
            while "generation_published" not in gateway.log:
                await asyncio.sleep(0.02)
        stopping = asyncio.create_task(gateway.stop())
        answers = await asyncio.wait_for(asyncio.gather(*(one.finish() for one in switching)), HANG)
        statuses = {answer.status for answer in answers}
        os.kill(hanging, signal.SIGCONT)
        assert 200 in statuses <= {200, 503}  # made, or not begun
        assert await stopping == 0
        assert "Exception in ASGI application" not in gateway.log
