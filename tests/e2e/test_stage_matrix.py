"""Every stage x every way an exchange ends, on the real server: what fires is what docs/hooks.md says."""

import asyncio
import json
import uuid
from collections import Counter
from pathlib import Path

import pytest
from lines import written
from seeding import seed

from gateway.registry import NewModel
from gateway.testing import faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

HANG = 60
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
PLAIN = {
    # what is no chat has no events to transform, and its first bytes are content, whatever they say
    ending: (behaviour, [stage for stage in stages if stage != "stream_transforms"], outcome)
    for ending, (behaviour, stages, outcome) in ENDINGS.items()
} | {"no content": (faults.end_without_finish(), ["stream_observers"], "truncated")}
SURFACES = {
    "custom route": ("/api/chat/custom", {"chatSettings": {"model": "m"}}, ENDINGS),
    "chat completions": ("/v1/chat/completions", {"stream": True}, ENDINGS),
    "chat completions, not streamed": ("/v1/chat/completions", {}, WHOLE),
    "completions": ("/v1/completions", {"prompt": "Hi", "stream": True}, ENDINGS),
    "completions, not streamed": ("/v1/completions", {"prompt": "Hi"}, WHOLE),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}, PLAIN),
    "messages": ("/v1/messages", {"max_tokens": 9, "stream": True}, ENDINGS),
    "responses": ("/v1/responses", {"input": "Hi", "stream": True}, ENDINGS),
    "responses, not streamed": ("/v1/responses", {"input": "Hi"}, WHOLE),
    "messages, not streamed": ("/v1/messages", {"max_tokens": 9}, WHOLE),
}


def slug(ending: str) -> str:
    return ending.replace(" ", "-")


@pytest.mark.parametrize("surface", SURFACES)
async def test_every_stage_fires_exactly_as_documented(tmp_path, surface):
    address, fields, endings = SURFACES[surface]
    path, data_dir = tmp_path / "fired", tmp_path / "data"
    ids = {ending: str(uuid.UUID(int=number + 1, version=4)) for number, ending in enumerate(endings)}
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(id=ids[ending], name=ending, base_url=upstream.play(slug(ending), behaviour), model_id="m")
            for ending, (behaviour, _, _) in endings.items()
        ]
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "RECORDING_FILE": str(path)}
        keys = await seed(data_dir, environ, models=models, keys={"one": None})
        plugin = Path(__file__).with_name("recording_plugin.py")
        headers = [("authorization", f"Bearer {keys['one']}"), ("content-type", "application/json")]
        async with RunningGateway(data_dir, environ=environ, arguments=("--plugin", str(plugin))) as gateway:
            assert [entry["stage"] for entry in written(path)] == ["lifespan"]
            for ending in endings:
                path.write_bytes(b"")
                said = {**fields, "model": ending, "customModelId": ids[ending]}
                body = json.dumps({**said, "messages": [{"role": "user", "content": "Hi"}]}).encode()
                exchange = await gateway.client.send("POST", address, headers=headers, body=body)
                await end(exchange, upstream, ending, path, streams=endings is not WHOLE)
                attempts = len(upstream.seen(slug(ending)))
                async with asyncio.timeout(HANG):
                    while not is_settled(written(path), attempts):
                        await asyncio.sleep(0.05)
                check(written(path), endings[ending], attempts)
            path.write_bytes(b"")
            await gateway.stop()
        assert [entry["stage"] for entry in written(path)] == ["lifespan.end"]


async def end(exchange, upstream, ending, path, *, streams):
    """Bring the exchange to that end."""
    if not ending.startswith("client leaves"):
        await exchange.finish()
        return
    seen = await asyncio.wait_for(upstream.wait_for(slug(ending)), HANG)
    if ending.endswith("middle") and streams:
        await exchange.head()
    elif ending.endswith("middle"):
        async with asyncio.timeout(HANG):
            while "stream_observers" not in [entry["stage"] for entry in written(path)]:
                await asyncio.sleep(0.05)
    await exchange.leave()
    await asyncio.wait_for(seen.closed(), HANG)


def is_settled(entries, attempts) -> bool:
    stages = Counter(entry["stage"] for entry in entries)
    return stages["usage_sinks"] == attempts and stages["limiters.settle"] == stages["stream_observers.settled"] == 1


def check(entries, expectation, attempts):
    _, expected, outcome = expectation
    told = [entry["events"] for entry in entries if entry["stage"] == "stream_observers.told"]
    stages = Counter(entry["stage"] for entry in entries if entry["stage"] != "stream_observers.told")
    once = [*BEFORE, "limiters.settle", "stream_observers.settled", *["usage_sinks"] * attempts]
    assert stages == Counter([*once, *expected])
    assert [entry["outcome"] for entry in entries if entry["stage"] == "limiters.settle"] == [outcome]
    assert {entry["outcome"] for entry in entries if entry["stage"] == "usage_sinks"} == {outcome}
    settled = [(e["outcome"], e["records"]) for e in entries if e["stage"] == "stream_observers.settled"]
    assert settled == [(outcome, attempts)]
    if outcome != "client_abort":
        ends = [name for batch in told for name in batch if name in ("End", "Failure")]
        assert ends == (["End"] if outcome == "ok" else ["Failure"] * expected.count("stream_observers"))
