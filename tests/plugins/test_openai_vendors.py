"""The table of vendors: what leaves for each of them, found by the provider's name or by the host."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from loopback_upstream import attempt, model

from gateway import ChatRequest, InvalidRequest, Model
from gateway.domain import Quirks
from gateway.egress import EgressClient, EgressPolicy
from gateway.wire.chat import CHAT_CLIENT
from gateway_openai.provider import providers
from gateway_openai.settings import Settings
from gateway_openai.vendors import read_vendors

TABLE = read_vendors().rows
NONE = Quirks()
OPENAI = "https://api.openai.com/v1"
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "presence_penalty": 1, "frequency_penalty": 1}
Ask = Callable[..., Any]


@pytest.fixture
async def sent() -> Any:
    """A function that tells URL and body of what would be sent."""
    egress = EgressClient(EgressPolicy())
    by_name = {provider.name: provider for provider in providers(egress, Settings())}

    async def ask(provider: str, model_id: str, base_url: str = "", quirks: Quirks = NONE, **fields: Any) -> Any:
        target = Model(id="1", name="m", model_id=model_id, base_url=base_url, provider=provider, quirks=quirks)
        with egress.capture() as captured:
            await by_name[provider].connect(target).open(request(**fields), attempt(target))
        return captured[0].url, json.loads(captured[0].body)

    yield ask
    await egress.aclose()


def request(**fields: Any) -> ChatRequest:
    message = {"role": "user", "content": "Hello"}
    return CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [message], **fields}).encode())


async def test_a_vendor_is_asked_at_its_own_address_and_told_what_it_takes(sent: Ask) -> None:
    developer = {"role": "developer", "content": "Be brief."}
    url, body = await sent(
        "mistral", "large", messages=[developer], seed=7, max_completion_tokens=9, user="u", stream=True
    )
    assert url == "https://api.mistral.ai/v1/chat/completions"
    assert body == {
        "model": "large",
        "messages": [{"role": "system", "content": "Be brief."}],
        "random_seed": 7,
        "max_tokens": 9,
        "stream": True,
    }


async def test_a_base_url_of_ones_own_is_kept(sent: Ask) -> None:
    url, body = await sent("mistral", "large", "https://proxy.example/m/", seed=7)
    assert (url, body["random_seed"]) == ("https://proxy.example/m/chat/completions", 7)


@pytest.mark.parametrize(
    ("base_url", "renamed"),
    [
        ("https://api.mistral.ai/v1", True),
        ("https://API.MISTRAL.AI./v1", True),
        ("https://api.mistral.ai:8443/v1", True),
        ("https://api.mistral.ai.evil.example/v1", False),
        ("https://evil.example/api.mistral.ai", False),
        ("http://[::1", False),
        ("nonsense", False),
    ],
)
async def test_behind_the_provider_openai_a_vendor_is_known_by_its_host(
    sent: Ask, base_url: str, renamed: bool
) -> None:
    _, body = await sent("openai", "large", base_url, seed=7)
    assert ("random_seed" in body) is renamed


@pytest.mark.parametrize(
    ("model_id", "fields", "sampled"),
    [
        ("gpt-4o-mini", {}, True),
        ("gpt-35-turbo", {}, True),
        ("gpt-5-chat-latest", {}, True),
        ("o3", {}, False),
        ("o4-mini-2025-04-16", {}, False),
        ("gpt-5", {}, False),
        ("gpt-5-mini", {"reasoning_effort": "minimal"}, False),
        ("gpt-5.2", {}, True),
        ("gpt-5.2", {"reasoning_effort": "none"}, True),
        ("gpt-5.2", {"reasoning_effort": "low"}, False),
        ("gpt-5.2-chat-latest", {}, False),
        ("gpt-6-sol", {"reasoning_effort": "none"}, False),
        ("ft:gpt-4o:me::1", {}, True),
        ("olmo-3", {}, True),
    ],
)
async def test_reasoning_models_of_openai_are_not_sent_the_sampling_they_refuse(
    sent: Ask, model_id: str, fields: dict[str, Any], sampled: bool
) -> None:
    _, body = await sent("openai", model_id, OPENAI, max_tokens=5, **SAMPLING, **fields)
    assert {name for name in SAMPLING if name in body} == (set(SAMPLING) if sampled else set())
    assert body.items() >= fields.items()
    reasons = model_id.startswith(("o3", "o4", "gpt-5", "gpt-6")) and model_id != "gpt-5-chat-latest"
    assert ("max_completion_tokens" if reasons else "max_tokens") in body


async def test_a_models_own_row_wins_over_the_table(sent: Ask) -> None:
    keep = Quirks(keep=frozenset({"temperature", "max_tokens"}), omit=frozenset({"user"}))
    _, body = await sent("openai", "o3", OPENAI, keep, max_tokens=5, user="u", **SAMPLING)
    assert (body["temperature"], body["max_tokens"]) == (0.5, 5)
    assert body.keys().isdisjoint({"top_p", "user", "max_completion_tokens"})


async def test_a_client_that_is_taken_at_its_word_meets_no_table() -> None:
    egress = EgressClient(EgressPolicy())
    [provider] = [one for one in providers(egress, Settings()) if one.name == "openai"]
    target = model(OPENAI, model_id="o3", quirks=Quirks(omit=frozenset({"top_p"})))
    verbatim = ChatRequest(
        dialect="chat", model="m", stream=True, fields=request(**SAMPLING).fields, keeps_model=True, verbatim=True
    )
    with egress.capture() as captured:
        await provider.connect(target).open(verbatim, attempt(target))
    body = json.loads(captured[0].body)
    assert (body["temperature"], "top_p" in body) == (0.5, False)
    await egress.aclose()


async def test_what_a_vendor_cannot_do_is_refused_before_it_is_asked(sent: Ask) -> None:
    with pytest.raises(InvalidRequest):
        await sent("groq", "llama", n=2)
    _, body = await sent("deepseek", "chat", response_format={"type": "json_schema", "json_schema": {"schema": {}}})
    assert body["response_format"] == {"type": "json_object"}


async def test_a_stream_is_asked_for_usage_unless_the_vendor_refuses_the_wish(sent: Ask) -> None:
    _, asked = await sent("groq", "llama", stream=True)
    _, unasked = await sent("fireworks", "llama", stream=True)
    assert (asked["stream_options"], "stream_options" in unasked) == ({"include_usage": True}, False)


async def test_a_provider_left_to_another_plugin_is_not_registered() -> None:
    egress = EgressClient(EgressPolicy())
    names = {provider.name for provider in providers(egress, Settings(without=("groq", "openai")))}
    assert names == TABLE.keys() - {"groq"}
    await egress.aclose()


@pytest.mark.parametrize("name", TABLE)
def test_every_row_is_whole(name: str) -> None:
    vendor = TABLE[name]
    assert vendor.title
    assert vendor.base_url.startswith("https://" if vendor.hosts else "http://localhost:")
    assert bool(vendor.api_key_env) is bool(vendor.hosts)
    assert vendor.capabilities <= {"responses", "embeddings"}
    for row in vendor.models:
        assert re.compile(row.match)
        assert row.quirks != NONE
    if vendor.hosts:
        assert read_vendors().at(vendor.base_url) == vendor
