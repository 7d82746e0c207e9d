"""Other makers' clients, through the gateway, with a real inference server: what it really streams, they understand."""

import asyncio
import json

import pytest
from clients.running import node_program, run

from gateway.testing.running import RunningGateway

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

PARIS = "The capital of France is Paris."
WORDS = {"greet": "What is the capital of France?", "weather": "What is the weather in Paris?"}
SCENARIOS = ("whole", "stream", "tools", "responses")
OVER = {
    "openai": ("stop", "tool_calls"),
    "openai-node": ("stop", "tool_calls"),
    "anthropic": ("end_turn", "tool_use"),
    "anthropic-node": ("end_turn", "tool_use"),
    "vercel": ("stop", "tool-calls"),
}


async def test_every_client_understands_what_a_real_server_streams(tmp_path, inference_server):
    node = node_program()
    async with RunningGateway(tmp_path / "data", environ={"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}) as gateway:
        await gateway.command("models", "add", "tiny", "--base-url", inference_server, "--model-id", "hf")
        secret = json.loads(await gateway.command("keys", "create", "test", "--json"))["secret"]
        await asyncio.sleep(2)  # the registry's stated bound for a change by another process
        job = {
            "base": f"http://127.0.0.1:{gateway.port}",
            "key": secret,
            "models": {"tiny": SCENARIOS},
            "words": {**WORDS, **dict.fromkeys(("think", "object", "too_much", "embed"), "")},
            "tool": {"name": "get_weather", "description": "The weather in a city."},
        }
        for client, (over, calling) in OVER.items():
            told = (await run(client, node, job))["tiny"]
            assert told["whole"] == {"text": PARIS, "finish": over}, client
            assert told["stream"] == {"text": PARIS, "several": True, "finish": over}, client
            assert told["tools"]["calls"] == [["get_weather", {"city": "Paris"}]], (client, told["tools"])
            assert told["tools"]["finish"] == calling, client
            assert isinstance(told["tools"]["then"], str), client
            if client.startswith("openai"):
                said = {"whole": PARIS, "deltas": PARIS, "final": PARIS, "status": "completed"}
                assert told["responses"] == said, client
        assert "Traceback" not in gateway.log
