"""A client that leaves while a real Redis is asked for its limits keeps no place there."""

import asyncio
import json

import pytest
from redis_server import LIBRARY, Gate, RedisServer, program
from seeding import seed

from gateway.registry import NewModel
from gateway.terms import Limits
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

Redis = pytest.importorskip("redis.asyncio", reason=LIBRARY).Redis
HANG = 30
"""Half of what a place outlives those who say nothing more."""
ANSWER = stream(*chat_events("a"), pause=0)
PLACES = "gateway:{limits}:*:concurrent"


async def test_a_client_that_leaves_while_the_server_is_asked_keeps_no_place(tmp_path):
    server = RedisServer(program(), tmp_path)
    await server.start()
    data_dir = tmp_path / "data"
    try:
        async with ScriptedUpstream() as upstream, Gate(server) as gate, Redis(port=server.port) as redis:
            model = NewModel(name="m", base_url=upstream.play("m", ANSWER), model_id="up", sharing="public")
            environ = {
                "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
                "GATEWAY_PLUGINS__LIMITS__URL": gate.url,
                "GATEWAY_PLUGINS__LIMITS__PATIENCE": "5",
            }
            limits = {"one": Limits(concurrent=1)}
            keys = await seed(data_dir, environ, models=[model], keys={"one": None}, limits=limits)
            body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}).encode()
            request = {"headers": [("authorization", f"Bearer {keys['one']}")], "body": body}

            async def places(count):
                async with asyncio.timeout(HANG):
                    while len(await redis.keys(PLACES)) != count:
                        await asyncio.sleep(0.02)

            async with RunningGateway(data_dir, environ=environ) as gateway:
                asked = await gateway.client.request("POST", "/v1/chat/completions", **request)
                assert asked.status == 200
                await places(0)
                gate.keep("answered")
                leaves = await gateway.client.send("POST", "/v1/chat/completions", **request)
                await asyncio.wait_for(gate.kept.wait(), HANG)
                await places(1)
                await leaves.leave()
                await places(0)
                again = await gateway.client.request("POST", "/v1/chat/completions", **request)
                assert again.status == 200
                assert "limits_counted_alone" not in gateway.log
    finally:
        server.stop()
