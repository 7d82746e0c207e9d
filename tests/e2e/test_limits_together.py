"""Two workers keep one limit together by a real Redis, say so when it is away, and serve all the same."""

import asyncio
import json

from redis_server import RedisServer, program
from seeding import seed

from gateway.registry import NewModel
from gateway.terms import Limits
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

HANG = 60
ANSWER = stream(*chat_events("a"), pause=0)


async def test_two_workers_keep_one_limit_and_go_on_without_the_server(tmp_path):
    server = RedisServer(program(), tmp_path)
    await server.start()
    data_dir = tmp_path / "data"
    async with ScriptedUpstream() as upstream:
        model = NewModel(name="m", base_url=upstream.play("m", ANSWER), model_id="up", sharing="public")
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__LIMITS__URL": server.url,
            "GATEWAY_PLUGINS__LIMITS__PATIENCE": "2",
        }
        names = ("admin", "single", "other")
        limits = {"single": Limits(concurrent=1_000, rpm=20), "other": Limits(rpm=1_000)}
        keys = await seed(data_dir, environ, models=[model], keys=dict.fromkeys(names), admins=["admin"], limits=limits)
        try:
            async with RunningGateway(data_dir, environ=environ, arguments=("--workers", "2")) as gateway:

                async def ask(key):
                    headers = [("authorization", f"Bearer {keys[key]}")]
                    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
                    sent = gateway.client.request(
                        "POST", "/v1/chat/completions", headers=headers, body=json.dumps(body).encode()
                    )
                    return (await asyncio.wait_for(sent, HANG)).status

                async def told(path, *words):
                    headers = [("authorization", f"Bearer {keys['admin']}")]
                    async with asyncio.timeout(HANG):
                        while True:
                            text = (await gateway.client.request("GET", path, headers=headers)).body.decode()
                            if all(word in text for word in words):
                                return text
                            await asyncio.sleep(0.1)

                statuses = [await ask("single") for _ in range(30)]
                assert statuses[:20] == [200] * 20
                assert 429 in statuses[20:]
                assert await told("/health/ready", "ready") == "ready"

                server.stop()
                async with asyncio.timeout(HANG):
                    while gateway.log.count("limits_counted_alone") < 2:  # until both workers have been asked
                        assert await ask("other") == 200
                assert "ready, but limits" in await told("/health/ready", "ready, but limits")
                assert "counts by itself" in await told("/admin/health", "ailing")
                await told("/metrics", 'gateway_plugin_ailing{plugin="limits"} 2.0')

                await server.start()
                async with asyncio.timeout(HANG):
                    while gateway.log.count("limits_counted_together") < 2:
                        await asyncio.sleep(0.1)
                assert await told("/health/ready", "ready") == "ready"
                assert await ask("other") == 200
        finally:
            server.stop()
