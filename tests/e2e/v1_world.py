"""Gateways that many tests of `/v1` share: each test takes a model of its own, whose upstream plays what it needs."""

import json
from contextlib import asynccontextmanager

from seeding import seed

from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream

MODELS = 60


class World:
    """A running gateway, and one of its models."""

    def __init__(self, gateway, upstream, key, model):
        self.gateway, self.upstream, self.key, self.model = gateway, upstream, key, model
        self.url = f"http://127.0.0.1:{gateway.port}"

    async def open(self, path, fields):
        headers = [("authorization", f"Bearer {self.key}")]
        body = json.dumps({**fields, "model": self.model}).encode()
        return await self.gateway.client.send("POST", path, headers=headers, body=body)

    async def ask(self, path, fields):
        return await (await self.open(path, fields)).finish()

    def sent(self) -> dict:
        """What the upstream was asked last."""
        return json.loads(self.upstream.seen(self.model)[-1].request.body)


@asynccontextmanager
async def worlds(data_dir, *arguments, providers=("openai",), api_keys=None):
    """A function that takes a provider's next model and gives its upstream something to play.

    `openai+responses` is the provider `openai` with models of that capability; `api_keys` are by provider.
    """
    async with ScriptedUpstream() as upstream:
        names = {provider: [f"{provider}-{number}" for number in range(MODELS)] for provider in providers}
        models = [
            NewModel(
                name=name,
                base_url=upstream.play(name),
                model_id="up",
                api_key=Secret(api_keys[provider]) if provider in (api_keys or {}) else None,
                provider=kind,
                capabilities=tuple(can.split()),
            )
            for provider in providers
            for kind, _, can in [provider.partition("+")]
            for name in names[provider]
        ]
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
        keys = await seed(data_dir, environ, models=models, keys={"one": None})
        left = {provider: iter(names[provider]) for provider in providers}
        async with RunningGateway(data_dir, environ=environ, arguments=arguments) as gateway:

            def world(*behaviours, provider=providers[0]):
                upstream.play(name := next(left[provider]), *behaviours)
                return World(gateway, upstream, keys["one"], name)

            yield world
