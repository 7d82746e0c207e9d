"""Row 45: a wall clock that jumps changes what is written as a time, and nothing that is waited for or measured."""

import asyncio
import json
from pathlib import Path

from seeding import seed

from gateway.registry import Database, NewModel
from gateway.registry.tables import usage
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

HANG = 60
PLUGIN = Path(__file__).with_name("jumping_clock.py")
OK = stream(*chat_events("a", "b"), pause=0.01)


async def test_durations_limits_and_retries_do_not_follow_a_clock_that_jumps(tmp_path):
    data_dir, environ = tmp_path / "data", {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream:
        behaviours = {"good": (OK,), "shaky": (reply(503), OK), "waits": (reply(429, headers={"retry-after": "1"}), OK)}
        models = [NewModel(name=name, base_url=upstream.play(name, *b), model_id="m") for name, b in behaviours.items()]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ, arguments=("--plugin", str(PLUGIN))) as gateway:
            headers = [("authorization", f"Bearer {key}")]
            for name in ("good", "shaky", "waits", *["good"] * 10):
                fields = {"model": name, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
                body = json.dumps(fields).encode()
                async with asyncio.timeout(HANG):
                    answer = await gateway.client.request("POST", "/v1/chat/completions", headers=headers, body=body)
                assert (answer.status, answer.body.endswith(b"data: [DONE]\n\n")) == (200, True), (name, answer)
                assert 0 <= int(answer.header("openai-processing-ms") or -1) < HANG * 1000
            assert (await gateway.client.request("GET", "/health/ready")).status == 200
            assert await gateway.stop() == 0
            assert "Traceback" not in gateway.log
    database = await Database.open(load_settings(None, {"GATEWAY_DATA_DIR": str(data_dir)}))
    async with database.read() as connection:
        rows = (await connection.execute(usage.select())).all()
    await database.aclose()
    times = [row.started_at.timestamp() for row in rows]
    assert max(times) - min(times) > 86_400, "the clock did jump"
    assert sorted(row.outcome for row in rows) == ["ok"] * 13 + ["upstream_error"] * 2
    assert [row for row in rows if not 0 <= row.duration < HANG] == []
    assert [row for row in rows if row.outcome == "ok" and not 0 <= row.first_content <= row.duration] == []
