"""S17: a flood of wrong keys from one address is refused before it is read and before anybody is asked about it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

LIMIT = 20
HANG = 60
SURFACES = {
    "/v1/chat/completions": lambda body: body["error"]["code"],
    "/v1/responses": lambda body: body["error"]["code"],
    "/v1/messages": lambda body: {"rate_limit_error": "rate_limit_exceeded"}[body["error"]["type"]],
    "/api/chat/custom": lambda body: {"message": "rate_limit_exceeded"}[next(iter(body))],
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class World:
    def __init__(self, gateway: RunningGateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self.keys = keys

    async def ask(
        self, address: str, key: str, path: str = "/v1/chat/completions", *, method: str = "POST"
    ) -> RawResponse:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        headers = [("authorization", f"Bearer {key}"), ("x-forwarded-for", f"1.1.1.1, {address}")]
        sent = body if method == "POST" else b""
        return await asyncio.wait_for(self.gateway.client.request(method, path, headers=headers, body=sent), HANG)

    async def flood(self, address: str) -> None:
        for number in range(LIMIT):
            assert (await self.ask(address, f"wrong-{number}")).status == 401
        assert (await self.ask(address, "wrong")).status == 429


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("exhaustion")
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="m", model_id="m", base_url=upstream.play("m", stream(*chat_events("a"), pause=0)))]
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
            "GATEWAY_SERVER__WRONG_KEYS": str(LIMIT),
        }
        keys = await seed(folder / "data", environ, models=models, keys={"one": None, "admin": None}, admins=["admin"])
        async with RunningGateway(folder / "data", environ=environ) as gateway:
            yield World(gateway, keys)


async def test_a_flood_is_refused_in_the_words_of_every_surface(world: World) -> None:
    address = "203.0.114.1"
    await world.flood(address)
    for path, code in SURFACES.items():
        refused = await world.ask(address, "wrong", path)
        assert (refused.status, code(refused.json())) == (429, "rate_limit_exceeded"), path
        assert int(refused.header("retry-after")) >= 1
    for path in ("/v1/models", "/admin/health", "/metrics"):
        refused = await world.ask(address, "wrong", path, method="GET")
        assert (refused.status, bool(refused.header("retry-after"))) == (429, True), path
    assert (await world.ask("203.0.114.99", "wrong")).status == 401
    assert world.gateway.log.count(f"address_refused address={address}") == 1
    assert "Traceback" not in world.gateway.log


async def test_a_refused_request_is_refused_before_its_body_is_there(world: World) -> None:
    address = "203.0.114.2"
    await world.flood(address)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {address}\r\n"
        "authorization: Bearer wrong\r\ncontent-length: 1000000\r\n\r\n"
    )
    exchange = await world.gateway.client.send_bytes(head.encode())
    assert (await asyncio.wait_for(exchange.finish(), HANG)).status == 429


async def test_who_was_let_in_from_there_still_is(world: World) -> None:
    address, key = "203.0.114.3", world.keys["one"]
    assert (await world.ask(address, "wrong")).status == 401
    assert (await world.ask(address, key)).status == 200
    for _ in range(LIMIT):
        await world.ask(address, "wrong")
    assert (await world.ask(address, "wrong")).status == 429
    assert (await world.ask(address, key)).status == 200


async def test_they_are_counted_and_are_no_exchanges(world: World) -> None:
    async def told() -> tuple[int, int]:
        stats = (await world.ask("203.0.114.50", world.keys["admin"], "/admin/health", method="GET")).json()["stats"]
        return stats["strangers_refused"], world.gateway.log.count(" exchange ")

    await world.flood("203.0.114.4")
    refused, exchanges = await told()
    assert exchanges >= LIMIT
    for _ in range(5):
        assert (await world.ask("203.0.114.4", "wrong")).status == 429
    assert await told() == (refused + 5, exchanges)
