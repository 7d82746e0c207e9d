"""Where requests to Azure go, and by what they are let in: keys, and tokens of Entra ID."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from loopback_upstream import attempt, taken
from pydantic import ValidationError

from gateway import ChatRequest, Model, Secret, UpstreamError, UpstreamUnreachable
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import GatewayError, ModelMisconfigured
from gateway.testing.upstream import Behaviour, ScriptedUpstream, chat_events, reply, stream
from gateway.wire.chat import CHAT_CLIENT, LEGACY
from gateway.wire.plain import PLAIN
from gateway.wire.responses import RESPONSES
from gateway_azure.entra import Application, EntraTokens
from gateway_azure.places import url
from gateway_azure.provider import AzureProvider
from gateway_azure.settings import Settings
from gateway_openai.vendors import read_vendors

SECRET = "canary-of-the-application"
KEY = json.dumps({"tenant_id": "contoso.example", "client_id": "app", "client_secret": SECRET})
OK = stream(*chat_events("ok"), pause=0)
REFUSED = reply(401, b'{"error":{"code":"401","message":"Unauthorized"}}', {"content-type": "application/json"})


def token(name: str, expires_in: int = 3600) -> Behaviour:
    body = {"token_type": "Bearer", "access_token": name, "expires_in": expires_in}
    return reply(200, json.dumps(body).encode(), {"content-type": "application/json"})


def request(**fields: Any) -> ChatRequest:
    message = {"role": "user", "content": "Hello"}
    return CHAT_CLIENT.read_request(
        json.dumps({"model": "m", "messages": [message], "stream": True, **fields}).encode()
    )


class Azure:
    """A resource and Entra's endpoint, played, and a provider in front of them."""

    def __init__(self, upstream: ScriptedUpstream, egress: EgressClient) -> None:
        self.upstream, self.egress = upstream, egress
        self.authority = upstream.play("login", token("one"), token("two")).removesuffix("/v1")
        self.base_url = upstream.play("resource", OK)

    def provider(self, **settings: Any) -> AzureProvider:
        return AzureProvider(self.egress, Settings(**{"authority": self.authority, **settings}))

    def model(self, key: str = KEY, **fields: Any) -> Model:
        given = {"id": "1", "name": "m", "model_id": "gpt-4o", "base_url": self.base_url, "provider": "azure", **fields}
        return Model(api_key=Secret(key), **given)

    async def ask(self, provider: AzureProvider, model: Model, **fields: Any) -> bytes:
        opened = await provider.connect(model).open(request(**fields), attempt(model))
        return (await taken(opened.body)).data

    def proofs(self) -> list[tuple[str | None, str | None]]:
        seen = [one.request for one in self.upstream.seen("resource")]
        return [(one.header("authorization"), one.header("api-key")) for one in seen]

    @property
    def fetched(self) -> int:
        return len(self.upstream.seen("login"))


@pytest.fixture
async def azure() -> AsyncIterator[Azure]:
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with ScriptedUpstream() as upstream:
        yield Azure(upstream, egress)
        await egress.aclose()


HOST = "https://r.openai.azure.com"


@pytest.mark.parametrize(
    ("base_url", "sent"),
    [
        (HOST, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/", f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1/", f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1?api-version=preview", f"{HOST}/openai/v1/chat/completions?api-version=preview"),
        (
            f"{HOST}?api-version=2024-10-21",
            f"{HOST}/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        ),
        (f"{HOST}/openai?api-version=1", f"{HOST}/openai/deployments/my%20gpt/chat/completions?api-version=1"),
        (f"{HOST}/openai/deployments/d?api-version=1", f"{HOST}/openai/deployments/d/chat/completions?api-version=1"),
        ("https://r.services.ai.azure.com/models?api-version=1",) * 2,
    ],
)
def test_a_request_goes_to_the_api_that_the_base_url_means(base_url: str, sent: str) -> None:
    sent = sent if "chat" in sent else sent.replace("/models", "/models/chat/completions")
    assert url(base_url, "/chat/completions", "my gpt") == sent


async def test_a_key_goes_out_as_api_key_and_nothing_else(azure: Azure) -> None:
    assert b"ok" in await azure.ask(azure.provider(), azure.model("azure-key"))
    assert (azure.proofs(), azure.fetched) == ([(None, "azure-key")], 0)
    [seen] = azure.upstream.seen("resource")
    assert (seen.request.target, seen.request.json()["model"]) == ("/resource/v1/chat/completions", "gpt-4o")


async def test_one_token_is_fetched_for_many_and_kept(azure: Azure) -> None:
    provider, model = azure.provider(), azure.model()
    await asyncio.gather(*(azure.ask(provider, model) for _ in range(5)))
    await azure.ask(provider, model)
    assert (azure.fetched, azure.proofs()) == (1, [("Bearer one", None)] * 6)
    [seen] = azure.upstream.seen("login")
    assert (seen.request.method, seen.request.target) == ("POST", "/login/contoso.example/oauth2/v2.0/token")
    assert parse_qs(seen.request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app"],
        "client_secret": [SECRET],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }


async def test_a_refused_token_is_fetched_anew_once(azure: Azure) -> None:
    azure.upstream.play("resource", REFUSED, OK)
    provider = azure.provider()
    assert b"ok" in await azure.ask(provider, azure.model())
    assert [proof for proof, _ in azure.proofs()] == ["Bearer one", "Bearer two"]
    azure.upstream.play("resource", REFUSED)
    with pytest.raises(UpstreamError) as refused:
        await azure.ask(provider, azure.model())
    assert (refused.value.status, len(azure.proofs())) == (401, 4)


async def test_a_refused_key_is_not_tried_again(azure: Azure) -> None:
    azure.upstream.play("resource", REFUSED)
    with pytest.raises(UpstreamError):
        await azure.ask(azure.provider(), azure.model("azure-key"))
    assert len(azure.proofs()) == 1


async def test_a_token_is_not_used_in_the_last_minutes_of_its_life(azure: Azure) -> None:
    now = [0.0]
    application = Application("t", "app", Secret(SECRET))
    tokens = EntraTokens(application, azure.egress, authority=azure.authority, scope="s", clock=lambda: now[0])
    said = []
    for now[0] in (0.0, 3479.0, 3481.0):
        said.append((await tokens.get(azure.model())).reveal())
    assert said == ["one", "one", "two"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "detail"),
    [
        (
            401,
            {"error": "invalid_client", "error_description": f"AADSTS7000215: {SECRET}"},
            ModelMisconfigured,
            "AADSTS7000215",
        ),
        (400, {"error": f"Bad {SECRET}"}, ModelMisconfigured, "400 (no reason)"),
        (200, {"access_token": "a\nb"}, ModelMisconfigured, "200"),
        (200, [], ModelMisconfigured, "200"),
        (503, {}, UpstreamUnreachable, "503"),
    ],
)
async def test_a_refusal_of_entra_is_told_without_a_word_of_it(
    azure: Azure, status: int, body: Any, kind: type[GatewayError], detail: str
) -> None:
    azure.upstream.play("login", reply(status, json.dumps(body).encode(), {"content-type": "application/json"}))
    with pytest.raises(kind) as refused:
        await azure.ask(azure.provider(), azure.model())
    assert detail in refused.value.detail
    assert SECRET not in f"{refused.value!r} {refused.value.detail} {refused.value.__context__!r}"
    assert azure.proofs() == []


async def test_the_gateways_own_application_serves_the_operators_models_alone(azure: Azure) -> None:
    provider = azure.provider(tenant_id="t", client_id="app", client_secret=SECRET)
    await azure.ask(provider, azure.model(""))
    await azure.ask(provider, azure.model("", owner="somebody"))
    await azure.ask(provider, azure.model("azure-key"))
    assert azure.proofs() == [("Bearer one", None), (None, None), (None, "azure-key")]


@pytest.mark.parametrize("key", ["{", "{}", '{"tenant_id":"a/b","client_id":"c","client_secret":"s"}', "{" * 9999])
async def test_a_key_that_is_half_a_credential_is_told_apart(azure: Azure, key: str) -> None:
    with pytest.raises(ModelMisconfigured) as refused:
        azure.provider().connect(azure.model(key))
    assert "tenant_id, client_id and client_secret" in refused.value.detail


async def test_managed_identity_is_not_to_be_had(azure: Azure) -> None:
    with pytest.raises(UpstreamUnreachable):
        await azure.ask(azure.provider(authority="http://169.254.169.254"), azure.model())


async def test_no_token_is_fetched_for_a_request_that_is_only_looked_at(azure: Azure) -> None:
    model = azure.model()
    dry = attempt(model)
    dry.dry = True
    with azure.egress.capture() as captured:
        await azure.provider().connect(model).open(request(), dry)
    [only] = captured
    assert only.url.endswith("/chat/completions")
    assert SECRET not in repr(captured)


async def test_models_called_after_their_model_are_not_sent_what_it_refuses(azure: Azure) -> None:
    await azure.ask(azure.provider(), azure.model("k", model_id="o3"), temperature=0.5, max_tokens=5)
    sent = azure.upstream.seen("resource")[0].request.json()
    assert (sent["max_completion_tokens"], "temperature" in sent) == (5, False)


@pytest.mark.parametrize(
    ("dialect", "path", "sent"),
    [
        (LEGACY.name, "/completions", "/resource/v1/completions"),
        (PLAIN.name, "/embeddings", "/resource/v1/embeddings"),
        (RESPONSES.name, "/responses", "/resource/v1/responses"),
    ],
)
async def test_other_requests_go_to_their_own_paths(azure: Azure, dialect: str, path: str, sent: str) -> None:
    asked = ChatRequest(dialect=dialect, model="m", stream=False, path=path, fields=request().fields)
    model = azure.model("azure-key")
    opened = await azure.provider().connect(model).open(asked, attempt(model))
    opened.body.close()
    assert opened.dialect.name == dialect
    assert azure.upstream.seen("resource")[0].request.target == sent


async def test_the_rows_are_openais(azure: Azure) -> None:
    assert azure.provider().vendor.models == read_vendors().rows["openai"].models


def test_deployments_have_no_responses() -> None:
    provider = AzureProvider(EgressClient(EgressPolicy()), Settings())

    def speaks(base_url: str) -> frozenset[str]:
        return provider.speaks_for(Model(id="1", name="m", model_id="m", base_url=base_url))

    assert speaks(HOST) - speaks(f"{HOST}?api-version=2024-10-21") == {"responses", "responses.kept"}


@pytest.mark.parametrize("wrong", [{"tenant_id": "t"}, {"authority": "login"}, {"tenant_id": "a/b"}, {"client": "x"}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)
