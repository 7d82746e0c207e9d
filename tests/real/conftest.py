"""A real inference server: Hugging Face's `transformers serve` with a tiny model of our own, on loopback."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERVER = HERE.parents[1] / ".venv-real" / "bin" / "transformers"
START_LIMIT = 180.0


@pytest.fixture
async def inference_server(tmp_path: Path) -> AsyncIterator[str]:
    """The server's base URL. Its model is called `hf`, after its folder."""
    if not SERVER.exists():
        message = "no inference server here: run `make real-server` (installs PyTorch and transformers)"
        if os.environ.get("TEST_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(SERVER, "serve", "hf", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"),
        cwd=HERE / "tiny-chat",
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_LIMIT):
            while True:
                assert process.returncode is None, "the inference server ended by itself"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:
                    await asyncio.sleep(0.2)
                    continue
                writer.close()
                await writer.wait_closed()
                break
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
