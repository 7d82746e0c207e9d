"""A serving gateway names the plugin, and its line, that holds up everybody."""

import asyncio

import pytest

from gateway.testing.running import RunningGateway

SLOW = """
import time

from litestar import get

from gateway import hookimpl


@get("/slow", opt={"public": True})
async def slow() -> str:
    time.sleep(2.5)
    return "done"


@hookimpl
def on_app_init(app_config):
    app_config.route_handlers.append(slow)
"""


@pytest.mark.parametrize("mode", [(), ("--dev",)], ids=["serve", "dev"])
async def test_a_plugin_that_blocks_the_loop_is_told_with_its_line(tmp_path, mode):
    (tmp_path / "slow.py").write_text(SLOW)
    arguments = (*mode, "--plugin", str(tmp_path / "slow.py"))
    async with RunningGateway(tmp_path / "data", arguments=arguments) as gateway:
        assert "plugin_blocks_the_loop" not in gateway.log
        for _ in range(2):
            assert (await gateway.client.request("GET", "/slow")).body == b"done"
        async with asyncio.timeout(60):
            while "plugin_blocks_the_loop" not in gateway.log:
                await asyncio.sleep(0.05)
    # The second time within a minute tells nothing new.
    (line,) = (line for line in gateway.log.splitlines() if "plugin_blocks_the_loop" in line)
    assert " warning " in line
    assert "plugin=slow " in line
    assert "slow.py:11 in slow: time.sleep(2.5)" in line
