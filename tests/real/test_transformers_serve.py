"""The custom route in front of a real inference server: real tokens, one by one."""

import asyncio
import json
import time

import pytest

from gateway.testing.running import RunningGateway

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MODEL_ID = "7d9f0c52-6a51-4c1b-9a44-2f0f5c9f3b10"


@pytest.mark.parametrize("lane", ["direct", "sdk"])
async def test_real_tokens_come_one_by_one_and_a_leaving_client_frees_the_server(
    tmp_path, inference_server, lane, capsys
):
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_PLUGINS__OPENAI__LANE": lane}
    async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
        await gateway.command(
            *("models", "add", "tiny", "--base-url", inference_server, "--model-id", "hf", "--id", MODEL_ID)
        )
        secret = json.loads(await gateway.command("keys", "create", "test", "--json"))["secret"]
        await asyncio.sleep(2)  # the registry's stated bound for a change by another process
        settings = {"key": secret, "model": "hf", "temperature": 0}

        started = time.monotonic()
        response = await gateway.client.chat(MODEL_ID, "What is the capital of France?", **settings)
        with capsys.disabled():
            print(f"\n{lane} lane, after the request:")
            for at, piece in response.chunks:
                print(f"  {1000 * (at - started):7.1f} ms  {piece.decode()!r}")
        assert response.complete
        assert response.status == 200
        assert response.body.decode() == "The capital of France is Paris."
        assert len(response.chunks) > 1  # seven on a quiet machine; a busy one joins some

        response = await gateway.client.chat(MODEL_ID, "Send emoji", **settings)
        assert response.complete
        assert "\ufffd" not in response.body.decode()
        assert any(ord(character) > 0xFFFF for character in response.body.decode())

        # A real server works on one answer at a time: the next one comes only when the first was given up.
        long = await gateway.client.open_chat(MODEL_ID, "Tell me a long story", **settings)
        await long.head()
        await long.chunk()
        await long.leave()
        response = await gateway.client.chat(MODEL_ID, "ping", **settings)
        assert response.body == b"pong"
        assert "Traceback" not in gateway.log
