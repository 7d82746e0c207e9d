"""S9 at run time: while a gateway serves hostile requests and answers, nothing is evaluated and no process started."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.testing.running import RunningGateway

_HOSTILE = [
    "__import__('os').system('true')",
    "{{7*7}}",
    "${7*7}",
    "!!python/object/apply:os.system ['true']",
    "cos\nsystem\n(S'true'\ntR.",
    "$(true)",
    "`true`",
    "'; DROP TABLE models; --",
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    plugin = Path(__file__).with_name("auditing.py")
    async with RunningGateway(tmp_path / "data", arguments=("--demo", "--plugin", str(plugin))) as running:
        yield running


async def _noted(gateway: RunningGateway) -> list[str]:
    noted: list[str] = (await gateway.client.request("GET", "/audited")).json()
    return noted


async def _settled(gateway: RunningGateway) -> list[str]:
    """What was noted once the SDK, which loads behind the first request, has come to rest."""
    noted = await _noted(gateway)
    while True:
        await asyncio.sleep(1.5)
        now = await _noted(gateway)
        if now == noted:
            return now
        noted = now


async def test_nothing_is_evaluated_while_serving(gateway: RunningGateway) -> None:
    key = (gateway.data_dir / "demo-key").read_text().strip()
    model = "de300000-0000-4000-8000-000000000001"
    assert (await gateway.client.chat(model, key=key)).status == 200
    await gateway.client.request("GET", "/nowhere")
    before = await _settled(gateway)
    for text in _HOSTILE:
        assert (await gateway.client.chat(model, text, key=key, model=text)).status == 200
        assert (await gateway.client.chat(text, key=key)).status == 500
        assert (await gateway.client.chat(model, key="x" + text.replace("\n", " "))).status == 401
        body = json.dumps({text: text, "chatSettings": {text: text}, "customModelId": [text]}).encode()
        headers = (("authorization", f"Bearer {key}"), ("content-type", "application/x-yaml"))
        assert (await gateway.client.request("POST", "/api/chat/custom", headers=headers, body=body)).status == 500
    assert (await _noted(gateway))[len(before) :] == []


async def test_the_weakened_variant_would_be_noticed(gateway: RunningGateway) -> None:
    await gateway.client.request("GET", "/weakened?expression=1")  # Litestar makes the signature's class
    before = await _settled(gateway)
    assert (await gateway.client.request("GET", "/weakened?expression=6*7")).body == b"42"
    assert (await _noted(gateway))[len(before) :] == ["compile '<string>'", "exec <string>"]
