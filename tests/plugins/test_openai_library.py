"""When the openai SDK is imported, and that it stays silent: each in a Python of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PRELUDE: Final = """
import asyncio, logging, sys
from gateway import Secret
from gateway.egress import EgressClient, EgressPolicy
from gateway_openai.library import library_lifespan
from gateway_openai.provider import OpenAIProvider
from loopback_upstream import Upstream, attempt, http, model, request, taken

def loaded():
    return "openai" in sys.modules

async def ask(lane, *replies):
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with Upstream(*replies) as upstream:
        target = model(upstream.origin + "/canary-path", api_key=Secret("canary-key"))
        client = OpenAIProvider(egress, lane).connect(target)
        try:
            await taken((await client.open(request(user="canary-body"), attempt(target))).body)
        except Exception as error:
            return type(error).__name__
        finally:
            await client.aclose()
            await egress.aclose()
"""


def run(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program's outcome; it must succeed."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done


def test_direct_lane_answers_without_the_sdk() -> None:
    assert run("asyncio.run(ask('direct')); print(loaded())").stdout == "False\n"


def test_direct_lane_fails_with_the_sdks_exceptions_all_the_same() -> None:
    done = run("print(asyncio.run(ask('direct', http(429, b'{}'))), loaded())")
    assert done.stdout == "RateLimitError True\n"


@pytest.mark.parametrize(("lane", "there"), [("sdk", "True"), ("direct", "False")])
def test_sdk_is_there_before_the_first_request_where_it_is_needed_and_else_never(lane: str, there: str) -> None:
    program = f"""
async def main():
    async with library_lifespan({lane!r}):
        print(loaded())
    print(loaded())
asyncio.run(main())
"""
    assert run(program).stdout == f"{there}\n{there}\n"


@pytest.mark.parametrize("lane", ["direct", "sdk"])
def test_libraries_log_nothing_even_when_the_environment_tells_them_to(lane: str) -> None:
    program = f"""
async def main():
    logging.basicConfig(level=logging.DEBUG, force=True)
    async with library_lifespan({lane!r}):
        pass
    await ask({lane!r})
    print(await ask({lane!r}, http(500, b"canary-answer")))
asyncio.run(main())
"""
    done = run(program, OPENAI_LOG="debug")
    assert done.stdout == "InternalServerError\n"
    assert "canary" not in done.stderr
    assert "HTTP" not in done.stderr
