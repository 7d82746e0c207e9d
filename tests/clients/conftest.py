"""Other makers' clients before the gateway, and behind it `aimock`, which speaks as every provider does."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from clients.running import node_program

HERE = Path(__file__).parent
AIMOCK = HERE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
START_LIMIT = 60
LISTENING = re.compile(rb"http://127\.0\.0\.1:([0-9]+)")


@pytest.fixture(scope="session")
def node() -> str:
    """The program that runs Node.js clients; skips where they are not installed."""
    return node_program()


@asynccontextmanager
async def aimock(node: str) -> AsyncIterator[str]:
    """The address of a server that answers as `answers.json` says, in every provider's words."""
    process = await asyncio.create_subprocess_exec(
        *(node, str(AIMOCK), "--port", "0", "--fixtures", str(HERE / "answers.json"), "--strict", "--chunk-size", "9"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_LIMIT):
            said = b""
            while (told := LISTENING.search(said)) is None:
                line = await process.stdout.readline()
                assert line, said
                said += line
        yield f"http://127.0.0.1:{int(told[1])}"
    finally:
        process.kill()
        await process.communicate()
