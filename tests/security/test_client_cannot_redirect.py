"""S7: no field of a client's body chooses where our credential goes, or which one."""

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from gateway import Attempt, ChatRequest, Exchange, Model, ProviderClient, Secret
from gateway.egress import EgressClient, EgressPolicy
from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest
from gateway_openai.provider import OpenAIProvider
from gateway_openai.settings import Lane

KEY = "sk-the-models-own"
NAMES = (
    "api_base",
    "api_key",
    "base_url",
    "default_headers",
    "extra_body",
    "extra_headers",
    "extra_query",
    "headers",
    "http_client",
    "organization",
    "project",
    "provider",
    "timeout",
    "url",
)


class Listener(LoopbackServer):
    """Answers 400 to everything and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[ReceivedRequest] = []

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        self.received.append(request)
        connection.reply(400, b"{}")


class ObedientClient:
    """The deliberately weakened variant: takes the destination from the body."""

    def __init__(self, egress: EgressClient) -> None:
        self._egress = egress

    async def open(self, request: ChatRequest, attempt: Attempt) -> None:
        url = msgspec.json.decode(request.fields["base_url"])
        await self._egress.send("POST", url, headers=[("authorization", f"Bearer {KEY}")])


def hostile_values(elsewhere: str) -> Iterator[object]:
    yield elsewhere
    yield {"base_url": elsewhere, "authorization": "Bearer evil", "x-evil": "1", "host": "evil.example"}
    yield [elsewhere]
    yield None
    yield 7


@pytest.fixture
async def egress() -> AsyncIterator[EgressClient]:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    yield client
    await client.aclose()


def asked_with(value: object, names: tuple[str, ...] = NAMES) -> ChatRequest:
    raw = msgspec.Raw(msgspec.json.encode(value))
    fields = {"model": msgspec.Raw(b'"m"'), "messages": msgspec.Raw(b"[]"), **dict.fromkeys(names, raw)}
    return ChatRequest(dialect="chat", model="m", stream=True, fields=fields, keeps_model=True)


def attempt_at(model: Model) -> Attempt:
    exchange = Exchange("x1", "chat")
    exchange.attempts.append(Attempt(exchange, model, 1))
    return exchange.attempts[-1]


@pytest.mark.parametrize("lane", ["direct", "sdk"])
async def test_body_changes_neither_destination_nor_credential(lane: Lane, egress: EgressClient) -> None:
    async with Listener() as upstream, Listener() as elsewhere:
        model = Model(id="1", name="M", model_id="m", base_url=f"{upstream.origin}/v1", api_key=Secret(KEY))
        client: ProviderClient = OpenAIProvider(egress, lane).connect(model)
        values = list(hostile_values(f"{elsewhere.origin}/v1"))
        for value in values:
            with pytest.raises(Exception, match="400"):
                await client.open(asked_with(value), attempt_at(model))
        await client.aclose()
        assert elsewhere.accepted == 0
        assert len(upstream.received) == len(values)
        for seen in upstream.received:
            assert (seen.target, seen.header("authorization")) == ("/v1/chat/completions", f"Bearer {KEY}")
            assert seen.header("host") == upstream.origin.removeprefix("http://")
            assert not [name for name, _ in seen.headers if name in ("x-evil", "openai-organization", "openai-project")]


async def test_obedient_client_would_be_seen(egress: EgressClient) -> None:
    async with Listener() as elsewhere:
        request = asked_with(elsewhere.origin)
        model = Model(id="1", name="M", model_id="m", base_url="http://upstream.invalid")
        await ObedientClient(egress).open(request, attempt_at(model))
        assert elsewhere.accepted == 1
