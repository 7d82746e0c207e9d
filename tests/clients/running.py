"""Runs a client on a job: where the gateway is, the key, what to ask of which model, and in which words."""

import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from clients.python_sdks import run_anthropic, run_openai

HERE = Path(__file__).parent
IN_PYTHON = {"openai": run_openai, "anthropic": run_anthropic}
INSTALL = "other makers' clients are missing: run `make node-clients` (needs Node.js 20 or newer and npm)"


def node_program() -> str:
    """The program that runs Node.js clients; skips the test where they are not installed."""
    program = shutil.which("node")
    if program is not None and (HERE / "node_modules" / "installed").exists():
        return program
    if os.environ.get("TEST_REQUIRE") == "all":
        pytest.fail(INSTALL)
    pytest.skip(INSTALL)


async def run(client: str, node: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """What the client tells, by model and scenario."""
    if client in IN_PYTHON:
        return await asyncio.to_thread(IN_PYTHON[client], job)
    process = await asyncio.create_subprocess_exec(
        *(node, str(HERE / f"{client.removesuffix('-node')}.mjs")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(json.dumps(job).encode())
    assert process.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out)
    return told
