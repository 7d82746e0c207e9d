"""What pytest gets from the gateway: fixtures, and no load when nobody uses them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.testing.client import RawClient
from gateway.testing.running import RunningGateway

HEAVY = {"litestar", "sqlalchemy", "openai", "pydantic", "httpx2", "click", "uvicorn"}


def test_loading_it_with_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import json, sys\n"
        "def pytest_collection_finish(session):\n"
        "    print('MODULES', json.dumps(sorted(sys.modules)))\n"
    )
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    command = [sys.executable, "-m", "pytest", "-s", "-q"]
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("MODULES "))
    modules = {name.partition(".")[0] for name in json.loads(line.removeprefix("MODULES "))}
    assert "gateway" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.fixture
def gateway_arguments() -> Sequence[str]:
    return ("--safe",)


def test_a_running_gateway_answers_without_a_plugin_for_async_tests(running_gateway: RunningGateway) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        client = RawClient(running_gateway.host, running_gateway.port)
        assert runner.run(client.request("GET", "/health/ready")).status == 200


async def test_a_running_gateway_answers_an_async_test(running_gateway: RunningGateway) -> None:
    assert (await running_gateway.client.request("GET", "/health/live")).status == 200


async def test_the_factory_makes_gateways_apart(gateway_factory: Callable[..., RunningGateway]) -> None:
    async with gateway_factory() as first, gateway_factory() as second:
        assert first.data_dir != second.data_dir
        await first.command("keys", "create", "one")
        assert "one" in await first.command("keys", "list")
        assert "one" not in await second.command("keys", "list")
        assert await second.stop() == 0
