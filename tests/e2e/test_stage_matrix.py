"""Every stage x every way an exchange ends, on the real server: what fires is what docs/hooks.md says."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing import faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

HANG = 60
MODEL_ID = "7d9f0c52-6a51-4c1b-9a44-2f0f5c9f3b10"
BEFORE = ["authenticators", "model_lookups", "limiters", "request_transforms"]
STREAM = ["stream_transforms", "stream_observers"]
ENDINGS = {
    # how it ends: what the upstream does, stages that fire besides those of every exchange, outcome
    "stream": (stream(*chat_events("a", "b"), pause=0), STREAM, "ok"),
    "upstream error": (reply(400, b"no"), ["error_mappers"], "upstream_error"),
    "no content": (faults.end_without_finish(), [*STREAM * 3, *["error_mappers"] * 3], "truncated"),
    "cut": (faults.close_midstream("a"), STREAM, "truncated"),
    "client leaves before content": (faults.stall_before_head(), [], "client_abort"),
    "client leaves in the middle": (faults.stall_midstream("a"), STREAM, "client_abort"),
}
WHOLE = ENDINGS | {
    # nothing went out yet, so that a cut is tried again
    "cut": (faults.close_midstream("a"), [*STREAM * 3, *["error_mappers"] * 3], "truncated"),
}
SURFACES = {
    "custom route": ("/api/chat/custom", {"chatSettings": {"model": "m"}, "customModelId": MODEL_ID}, ENDINGS),
    "chat completions": ("/v1/chat/completions", {"model": "m", "stream": True}, ENDINGS),
    "chat completions, not streamed": ("/v1/chat/completions", {"model": "m"}, WHOLE),
}


def fired(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("surface", SURFACES)
async def test_every_stage_fires_exactly_as_documented(tmp_path, surface, ending):
    address, fields, endings = SURFACES[surface]
    behaviour, expected, outcome = endings[ending]
    body = json.dumps({**fields, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    path, data_dir = tmp_path / "fired", tmp_path / "data"
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("m", behaviour)
        model = NewModel(id=MODEL_ID, name="m", base_url=base_url, model_id="m")
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "RECORDING_FILE": str(path)}
        keys = await seed(data_dir, environ, models=[model], keys={"one": None})
        plugin = Path(__file__).with_name("recording_plugin.py")
        async with RunningGateway(data_dir, environ=environ, arguments=("--plugin", str(plugin))) as gateway:
            bearer = [("authorization", f"Bearer {keys['one']}"), ("content-type", "application/json")]
            exchange = await gateway.client.send("POST", address, headers=bearer, body=body)
            if ending.startswith("client leaves"):
                seen = await asyncio.wait_for(upstream.wait_for("m"), HANG)
                if ending.endswith("middle") and endings is ENDINGS:
                    await exchange.head()
                await exchange.leave()
                await asyncio.wait_for(seen.closed(), HANG)
            else:
                await exchange.finish()
            attempts = len(upstream.seen("m"))
            async with asyncio.timeout(HANG):
                while sum(entry["stage"] == "usage_sinks" for entry in fired(path)) < attempts:
                    await asyncio.sleep(0.05)
            await gateway.stop()
        entries = fired(path)
    told = [entry["events"] for entry in entries if entry["stage"] == "stream_observers.told"]
    stages = Counter(entry["stage"] for entry in entries if entry["stage"] != "stream_observers.told")
    once = [
        *BEFORE,
        "limiters.settle",
        "stream_observers.settled",
        "lifespan",
        "lifespan.end",
        *["usage_sinks"] * attempts,
    ]
    assert stages == Counter([*once, *expected])
    assert [entry["outcome"] for entry in entries if entry["stage"] == "limiters.settle"] == [outcome]
    assert {entry["outcome"] for entry in entries if entry["stage"] == "usage_sinks"} == {outcome}
    settled = [
        (entry["outcome"], entry["records"]) for entry in entries if entry["stage"] == "stream_observers.settled"
    ]
    assert settled == [(outcome, attempts)]
    if outcome != "client_abort":
        ends = [name for batch in told for name in batch if name in ("End", "Failure")]
        assert ends == (["End"] if outcome == "ok" else ["Failure"] * expected.count("stream_observers"))
