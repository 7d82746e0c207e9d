"""Where the provider `anthropic` sends a request, what it carries, and what each generation of models is sent."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway import ChatRequest, InvalidRequest, Model
from gateway.domain import Quirks
from gateway.egress import EgressClient, EgressPolicy
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.canned_messages import MESSAGES
from gateway.testing.loopback import ReceivedRequest
from gateway.testing.standin import StandInGateway, StandInSnapshot
from gateway.testing.upstream import ScriptedUpstream
from gateway.wire.messages import MESSAGES_CLIENT
from gateway.wire.messages.generations import effort_of, generation
from gateway_anthropic.provider import AnthropicProvider

CHAT = chat_request("m")


def model(model_id: str = "claude-opus-4-6", **fields: Any) -> Model:
    return Model(id="1", name="m", model_id=model_id, provider="anthropic", **{"base_url": "", **fields})


def sent(request: ChatRequest, to: Model) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(AnthropicProvider().dialect.write_request(request, to))
    return body


def own(**fields: Any) -> ChatRequest:
    asked = {"model": "m", "max_tokens": 9, "messages": [], **fields}
    return MESSAGES_CLIENT.read_request(json.dumps(asked).encode())


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("https://a.example/anthropic?api-version=1", "https://a.example/anthropic/v1/messages?api-version=1"),
    ],
)
def test_base_urls_may_have_their_version_or_not(base_url: str, url: str) -> None:
    assert AnthropicProvider().url(CHAT, model(base_url=base_url)) == url


async def on_the_wire(asked: ChatRequest, **fields: Any) -> ReceivedRequest:
    """What the upstream sees of a request."""
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with ScriptedUpstream() as upstream:
        to = model(base_url=upstream.play("wire", MESSAGES["text"].behaviour()), **fields)
        provider = AnthropicProvider()
        provider.bind(StandInGateway(None, egress, StandInSnapshot()))
        client = provider.connect(to)
        opened: Any = await client.open(asked, exchange_of(asked, to).attempts[0])
        opened.body.close()
        await client.aclose()
        request = upstream.seen("wire")[0].request
    await egress.aclose()
    return request


async def test_what_goes_out_on_the_wire() -> None:
    headers = {"Anthropic-Beta": "b1", "anthropic-version": "2030-01-01", "metadata-flavor": "x", "host": "evil"}
    request = await on_the_wire(CHAT, api_key=Secret(" sk-ant-1 "), headers=headers)
    carried = dict(request.headers)
    assert request.target == "/wire/v1/messages"
    assert (carried["x-api-key"], carried["anthropic-version"]) == ("sk-ant-1", "2030-01-01")
    assert carried["anthropic-beta"] == "b1"
    assert carried["host"] != "evil"
    assert not {"authorization", "metadata-flavor"} & carried.keys()
    assert json.loads(request.body)["model"] == "claude-opus-4-6"


@pytest.mark.parametrize(
    ("request_", "headers", "beta"),
    [
        (own(), {}, "client"),
        (own(), {"anthropic-beta": "model"}, "model"),
        (CHAT, {}, None),
    ],
)
async def test_the_betas_of_a_client_of_this_dialect_go_along(
    request_: ChatRequest, headers: dict[str, str], beta: str | None
) -> None:
    asked = msgspec.structs.replace(request_, headers=(("anthropic-beta", "client"),))
    assert dict((await on_the_wire(asked, headers=headers)).headers).get("anthropic-beta") == beta


def test_without_a_key_none_is_sent() -> None:
    assert "x-api-key" not in dict(AnthropicProvider().headers(model()))


@pytest.mark.parametrize(
    ("model_id", "version"),
    [
        ("claude-3-7-sonnet-20250219", (3, 7)),
        ("claude-3-haiku-20240307", (3, 0)),
        ("claude-opus-4-20250514", (4, 0)),
        ("claude-opus-4-1-20250805", (4, 1)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("us.anthropic.claude-sonnet-4-6-v1", (4, 6)),
        ("anthropic/claude-opus-4.7", (4, 7)),
        ("claude-opus-4-8@20260528", (4, 8)),
        ("claude-opus-5", (5, 0)),
        ("claude-sonnet-5-5", (5, 5)),
        ("claude-fable-5-2", (5, 2)),
        ("claude-mythos-preview", (99, 0)),
        ("deepseek-v4", None),
    ],
)
def test_the_generation_is_told_by_the_id(model_id: str, version: tuple[int, int] | None) -> None:
    assert generation(model_id) == version


def test_sampling_is_not_sent_where_it_is_refused() -> None:
    asked = own(temperature=0.5, top_p=0.9, top_k=3)
    assert {"temperature", "top_p", "top_k"} <= sent(asked, model("claude-opus-4-6")).keys()
    assert not {"temperature", "top_p", "top_k"} & sent(asked, model("claude-opus-4-7")).keys()
    assert "temperature" in sent(asked, model("kimi-k3"))
    assert "temperature" not in sent(chat_request("m", temperature=0.2), model("claude-sonnet-5"))
    quirky = model("claude-opus-5", quirks=Quirks(omit=frozenset({"metadata"})))
    assert sent(own(metadata={"user_id": "u"}, temperature=1), quirky).keys() == {"model", "max_tokens", "messages"}


def cases() -> Iterator[Any]:
    adaptive, low = {"type": "adaptive"}, {"effort": "low"}
    budget = {"type": "enabled", "budget_tokens": 3000}
    yield "claude-opus-5-5", {"reasoning_effort": "high"}, adaptive, {"effort": "high"}
    yield "claude-opus-4-6", {"reasoning_effort": "high"}, adaptive, {"effort": "high"}
    yield "claude-opus-4-6", {"thinking": budget}, budget, None
    yield "claude-opus-4-6", {"reasoning_effort": "none"}, {"type": "disabled"}, None
    yield "claude-opus-5", {"reasoning_effort": "none"}, None, low
    yield "claude-opus-5", {"thinking": budget}, adaptive, {"effort": "medium"}
    yield "claude-haiku-4-5", {"reasoning_effort": "low"}, {"type": "enabled", "budget_tokens": 2048}, None
    yield "claude-haiku-4-5", {"reasoning_effort": "none"}, {"type": "disabled"}, None
    yield (
        "claude-haiku-4-5",
        {"reasoning_effort": "high", "max_tokens": 4000},
        {"type": "enabled", "budget_tokens": 2000},
        None,
    )
    yield "claude-haiku-4-5", {"reasoning_effort": "high", "max_tokens": 100}, None, None
    yield "glm-5", {"reasoning_effort": "medium"}, {"type": "enabled", "budget_tokens": 8192}, None
    yield "claude-haiku-4-5", {}, None, None


@pytest.mark.parametrize(("model_id", "asked", "thinking", "config"), [*cases()])
def test_a_chat_client_thinks_in_the_words_of_the_generation(
    model_id: str, asked: dict[str, Any], thinking: Any, config: Any
) -> None:
    body = sent(chat_request("m", **asked), model(model_id))
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)
    if thinking is not None and "budget_tokens" in thinking:
        assert body["max_tokens"] > thinking["budget_tokens"]


def test_thinking_with_a_budget_leaves_no_choice_of_temperature() -> None:
    body = sent(chat_request("m", reasoning_effort="low", temperature=0.2), model("claude-haiku-4-5"))
    assert "temperature" not in body


def test_a_client_of_this_dialect_is_taken_at_its_word() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert sent(own(thinking=thinking), model("claude-opus-5"))["thinking"] == thinking


def test_what_cannot_be_asked_of_it_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        sent(msgspec.structs.replace(chat_request("m", n=2)), model())


@pytest.mark.parametrize(("budget", "word"), [(1024, "low"), (2048, "low"), (16384, "high"), (99999, "max")])
def test_a_budget_has_a_word(budget: int, word: str) -> None:
    assert effort_of(budget) == word
