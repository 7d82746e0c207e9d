"""The clients other makers publish, unmodified: each tells the same of every provider's answers."""

import openai
import pytest
import pytest_asyncio
from clients.conftest import aimock
from clients.running import run

from gateway.registry import Database, KeyStore, ModelStore, NewModel
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

WORDS = {word.replace(" ", "_"): word for word in ("greet", "weather", "think", "object", "too much", "embed")}
"""What is asked; `answers.json` answers it."""
TEXT = "Hello to you, \U0001f389 and a café, from far away."
CALLS = [["weather", {"city": "Paris"}], ["weather", {"city": "Rome"}]]
TOLD = ("whole", "stream", "tools", "thinking", "object", "refused", "responses")
PROVIDERS = {
    # provider: the base URL behind the upstream's address, what its models are asked
    "openai": ("/v1", (*TOLD, "embeddings")),
    "anthropic": ("/v1", TOLD),
    "azure": ("/openai/deployments/the-model?api-version=2024-10-21", (*TOLD, "embeddings")),
    "bedrock": ("", TOLD),
    "cohere": ("", tuple(scenario for scenario in TOLD if scenario != "thinking")),  # which aimock tells as text
    "gemini": ("/v1beta", TOLD),
    "ollama": ("", TOLD),
    "vertex": ("/v1/projects/p/locations/l", TOLD),
}
CLIENTS = {
    "openai": ("stop", "tool_calls"),
    "openai-node": ("stop", "tool_calls"),
    "anthropic": ("end_turn", "tool_use"),
    "anthropic-node": ("end_turn", "tool_use"),
    "vercel": ("stop", "tool-calls"),
}
"""How each says that a completion is over, and that tools are to be called."""
SAYS = {
    "openai": {*TOLD, "embeddings"},
    "openai-node": {*TOLD, "embeddings"},
    "anthropic": {"whole", "stream", "tools", "thinking", "refused"},
    "anthropic-node": {"whole", "stream", "tools", "thinking", "refused"},
    "vercel": {"whole", "stream", "tools", "thinking", "object", "refused"},
}
"""What each client can ask."""
CASES = [
    (client, provider, scenario)
    for client, says in SAYS.items()
    for provider, (_, scenarios) in PROVIDERS.items()
    for scenario in scenarios
    if scenario in says
]


async def seeded(data_dir, environ: dict[str, str], upstream: str) -> str:
    """One model for each provider, called as it; the key of who may ask them."""
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        for provider, (path, _) in PROVIDERS.items():
            model = NewModel(
                name=provider,
                provider=provider,
                model_id="the-model",
                base_url=upstream + path,
                api_key=Secret("ya29.upstream-key"),
                context_length=128_000,
            )
            await ModelStore(database).add(model)
        _, secret = await KeyStore(database).create("clients", scopes=("chat",))
    finally:
        await database.aclose()
    return secret.reveal()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def job(node, tmp_path_factory):
    """Where the gateway is, the key, and what to ask of which model."""
    data_dir = tmp_path_factory.mktemp("clients") / "data"
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with aimock(node) as upstream:
        key = await seeded(data_dir, environ, upstream)
        async with RunningGateway(data_dir, environ=environ) as gateway:
            models = {provider: scenarios for provider, (_, scenarios) in PROVIDERS.items()}
            yield {
                "base": f"http://127.0.0.1:{gateway.port}",
                "key": key,
                "models": models,
                "words": WORDS,
                "tool": {"name": "weather", "description": "The weather in a city."},
            }
            assert "Traceback" not in gateway.log
            assert "upstream-key" not in gateway.log


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(node, job):
    """What each client told, by client, provider and scenario; each is run once."""

    return {client: await run(client, node, job) for client in CLIENTS}


def expected(client: str, scenario: str):
    over, calling = CLIENTS[client]
    return {
        "whole": {"text": TEXT, "finish": over},
        "stream": {"text": TEXT, "several": True, "finish": over},
        "tools": {"calls": CALLS, "finish": calling, "then": "Sunny in both."},
        "thinking": {"thought": "Two and two.", "text": "It is 4."},
        "object": {"city": "Paris", "degrees": 21},
        "refused": {"refused": True, "status": 400, "said": True},
        "responses": {"whole": TEXT, "deltas": TEXT, "final": TEXT, "status": "completed"},
        "embeddings": [0.5, -0.25, 0.125],
    }[scenario]


@pytest.mark.parametrize(("client", "provider", "scenario"), CASES)
async def test_a_client_gets_the_same_of_every_provider(told, client, provider, scenario):
    assert told[client][provider][scenario] == expected(client, scenario)


async def test_a_models_answer_is_an_async_clients_too(job):
    async with openai.AsyncOpenAI(base_url=f"{job['base']}/v1", api_key=job["key"], max_retries=0) as client:
        asked = [{"role": "user", "content": "greet"}]
        stream = await client.chat.completions.create(model="openai", messages=asked, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == TEXT
