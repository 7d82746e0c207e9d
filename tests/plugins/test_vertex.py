"""Vertex AI: whose credential a key is, where tokens come from, where a request goes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gemini_streams import STREAMS

from gateway import ChatRequest, Model, UpstreamError, UpstreamUnreachable
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import ModelMisconfigured
from gateway.secrets import Secret, redact
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.canned_messages import MESSAGES as MESSAGES_ANSWERS
from gateway.testing.standin import StandInGateway, StandInSnapshot
from gateway.testing.upstream import Behaviour, ScriptedUpstream, reply
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_gemini.credentials import AccessToken, ApiKey, AuthorizedUser, ServiceAccount, credential_of, origin_of
from gateway_gemini.places import asked, url
from gateway_gemini.settings import Settings
from gateway_gemini.tokens import GoogleTokens
from gateway_gemini.vertex import VertexProvider

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ACCOUNT = {
    "type": "service_account",
    "project_id": "proj",
    "private_key_id": "kid-1",
    "private_key": PEM,
    "client_email": "svc@proj.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}
USER = {"type": "authorized_user", "client_id": "c", "client_secret": "cs", "refresh_token": "rt"}
CHAT = chat_request("m")


def token(value: str, life: int = 3600) -> Behaviour:
    return reply(200, json.dumps({"access_token": value, "expires_in": life, "token_type": "Bearer"}).encode())


class World:
    """An upstream that is Google: `token` makes tokens, `ai` answers."""

    def __init__(self, upstream: ScriptedUpstream, egress: EgressClient) -> None:
        self.upstream, self.egress = upstream, egress

    def file(self, **changes: Any) -> Secret:
        return Secret(json.dumps({**ACCOUNT, "token_uri": f"{self.upstream.origin}/token", **changes}))

    def model(self, key: Secret, **fields: Any) -> Model:
        base = {"base_url": f"{self.upstream.origin}/ai/v1", "model_id": "gemini-3-pro", **fields}
        return Model(id="1", name="m", provider="vertex", api_key=key, **base)

    def client(self, model: Model) -> Any:
        provider = VertexProvider((self.upstream.origin,))
        provider.bind(StandInGateway(None, self.egress, StandInSnapshot()))
        return provider.connect(model)

    async def open(self, client: Any, model: Model, request: ChatRequest = CHAT) -> Any:
        opened = await client.open(request, exchange_of(request, model).attempts[0])
        opened.body.close()
        return opened

    def asked(self, name: str) -> list[Any]:
        return [seen.request for seen in self.upstream.seen(name)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with ScriptedUpstream() as upstream:
        upstream.play("ai", STREAMS["text"].behaviour())
        yield World(upstream, egress)
        await egress.aclose()


def bearer(request: Any) -> str | None:
    return dict(request.headers).get("authorization")


async def test_a_service_account_signs_for_a_token_that_is_kept(world: World) -> None:
    world.upstream.play("token", token("ya29.one"))
    model = world.model(world.file())
    client = world.client(model)
    for _ in range(3):
        await world.open(client, model)
    (asked,) = world.asked("token")
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    (assertion,) = form["assertion"]
    audience = f"{world.upstream.origin}/token"
    claims = jwt.decode(assertion, KEY.public_key(), algorithms=["RS256"], audience=audience)
    assert (claims["iss"], claims["exp"] - claims["iat"]) == (ACCOUNT["client_email"], 3600)
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert jwt.get_unverified_header(assertion)["kid"] == "kid-1"
    assert [bearer(request) for request in world.asked("ai")] == ["Bearer ya29.one"] * 3
    target = world.asked("ai")[0].target
    assert target == (
        "/ai/v1/projects/proj/locations/global/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse"
    )
    assert PEM[40:80].encode() not in world.asked("ai")[0].body


async def test_a_user_who_agreed_once_has_the_consent_exchanged(world: World) -> None:
    world.upstream.play("token", token("ya29.user"))
    key = Secret(json.dumps({**USER, "quota_project_id": "q", "token_uri": f"{world.upstream.origin}/token"}))
    model = world.model(key)
    await world.open(world.client(model), model)
    form = parse_qs(world.asked("token")[0].body.decode())
    assert form == {
        "grant_type": ["refresh_token"],
        "client_id": ["c"],
        "client_secret": ["cs"],
        "refresh_token": ["rt"],
    }
    assert bearer(world.asked("ai")[0]) == "Bearer ya29.user"
    assert "/projects/q/" in world.asked("ai")[0].target


async def test_however_many_ask_at_a_time_one_goes_for_a_token(world: World) -> None:
    world.upstream.play("token", msgspec.structs.replace(token("ya29.one"), chunked=True, pause=0.05))
    model = world.model(world.file())
    client = world.client(model)
    await asyncio.gather(*(world.open(client, model) for _ in range(8)))
    assert (len(world.asked("token")), len(world.asked("ai"))) == (1, 8)


async def test_who_goes_for_a_token_and_leaves_makes_place_for_the_next(world: World) -> None:
    gated = msgspec.structs.replace(token("ya29.one"), status=None, writes=())
    world.upstream.play("token", msgspec.structs.replace(gated, gated=True, writes=(b"x",)), token("ya29.two"))
    model = world.model(world.file())
    client = world.client(model)
    first, second = (asyncio.ensure_future(world.open(client, model)) for _ in range(2))
    await world.upstream.wait_for("token")
    first.cancel()
    await second
    assert first.cancelled()
    assert bearer(world.asked("ai")[0]) == "Bearer ya29.two"


async def test_a_token_is_replaced_shortly_before_it_ends(world: World) -> None:
    world.upstream.play("token", token("ya29.one", 600), token("ya29.two", 600))
    now = 1_000_000.0
    credential = credential_of(world.file(), token_origins=(world.upstream.origin,))
    assert isinstance(credential, ServiceAccount)
    tokens = GoogleTokens(credential, world.egress, clock=lambda: now)
    model = world.model(world.file())
    said = []
    for at in (0, 479, 481):
        now = 1_000_000.0 + at
        said.append((await tokens.get(model)).reveal())
    assert said == ["ya29.one", "ya29.one", "ya29.two"]


async def test_a_refused_token_is_replaced_once(world: World) -> None:
    world.upstream.play("token", token("ya29.old"), token("ya29.new"), token("ya29.newer"))
    world.upstream.play("ai", reply(401, b"{}"), STREAMS["text"].behaviour(), reply(401, b"{}"))
    model = world.model(world.file())
    client = world.client(model)
    await world.open(client, model)
    assert [bearer(request) for request in world.asked("ai")] == ["Bearer ya29.old", "Bearer ya29.new"]
    with pytest.raises(UpstreamError) as told:
        await world.open(client, model)
    assert told.value.status == 401
    assert len(world.asked("ai")) == 4
    assert len(world.asked("token")) == 3


@pytest.mark.parametrize(
    ("answer", "error", "detail"),
    [
        (reply(400, b'{"error":"invalid_grant","error_description":"secret words"}'), ModelMisconfigured,
         "400 (invalid_grant)"),
        (reply(400, b'{"error":"<script>"}'), ModelMisconfigured, "400 (no reason)"),
        (reply(200, b'{"access_token":"a\\r\\nx: y"}'), ModelMisconfigured, "200 (no reason)"),
        (reply(200, b"not json"), ModelMisconfigured, "200 (no reason)"),
        (reply(503, b""), UpstreamUnreachable, "503 (no reason)"),
    ],
)  # fmt: skip
async def test_no_token_is_told_without_a_stranger_s_words(
    world: World, answer: Behaviour, error: type[Any], detail: str
) -> None:
    world.upstream.play("token", answer)
    model = world.model(world.file())
    with pytest.raises(error) as told:
        await world.open(world.client(model), model)
    assert told.value.detail.endswith(detail)
    assert not world.asked("ai")


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("AIza" + "x" * 35, "x-goog-api-key", "AIza" + "x" * 35),
        (" ya29.ready ", "authorization", "Bearer ya29.ready"),
    ],
)
async def test_keys_and_ready_tokens_go_out_as_they_are(world: World, key: str, name: str, value: str) -> None:
    model = world.model(Secret(key))
    await world.open(world.client(model), model)
    (request,) = world.asked("ai")
    assert dict(request.headers)[name] == value
    assert request.target == "/ai/v1/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse"


def test_whose_credential_a_key_is() -> None:
    assert isinstance(credential_of(Secret("")), ApiKey)
    assert isinstance(credential_of(Secret("AQ." + "a" * 40)), ApiKey)
    assert isinstance(credential_of(Secret("ya29.x")), AccessToken)
    account, user = credential_of(Secret(json.dumps(ACCOUNT))), credential_of(Secret(json.dumps(USER)))
    assert isinstance(account, ServiceAccount)
    assert isinstance(user, AuthorizedUser)
    assert user.token_uri == "https://oauth2.googleapis.com/token"
    assert not {"cs", "rt"} & {piece.strip("'") for piece in repr(user).replace("=", " ").split()}
    assert PEM[40:80] not in repr(account)


STRANGERS = [
    "https://evil.example/token",
    "http://oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com.evil.example/token",
    "https://oauth2.googleapis.com@evil.example/token",
    "https://oauth2.googleapis.com:8443/token",
    "https://storage.googleapis.com/bucket",
    "http://169.254.169.254/computeMetadata/v1/",
    "file:///etc/passwd",
    "https:\\\\oauth2.googleapis.com",
    "https://evil.example\\@oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com\\@evil.example/token",
    "",
    7,
]


@pytest.mark.parametrize("uri", STRANGERS)
@pytest.mark.parametrize("given", [ACCOUNT, USER], ids=["account", "user"])
def test_tokens_are_made_at_google_alone(given: dict[str, Any], uri: Any) -> None:
    with pytest.raises(ModelMisconfigured) as told:
        credential_of(Secret(json.dumps({**given, "token_uri": uri})))
    assert "token_uri" in told.value.detail
    assert told.value.message == "The model is not configured properly."


async def test_other_makers_of_tokens_are_allowed_by_name_and_still_guarded() -> None:
    origin = "http://127.0.0.1:9"
    key = Secret(json.dumps({**ACCOUNT, "token_uri": f"{origin}/token"}))
    credential = credential_of(key, token_origins=(origin,))
    assert isinstance(credential, ServiceAccount)
    egress = EgressClient(EgressPolicy())
    with pytest.raises(UpstreamUnreachable):
        await GoogleTokens(credential, egress).get(Model(id="1", name="m", model_id="m", base_url="", api_key=key))
    await egress.aclose()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("{", "no valid JSON"),
        ('{"type":"external_account"}', "another type"),
        ('{"type":"service_account","client_email":"a"}', "without 'private_key'"),
    ],
)
def test_what_is_no_credential_is_told_to_the_operator(given: str, why: str) -> None:
    with pytest.raises(ModelMisconfigured) as told:
        credential_of(Secret(given))
    assert why in told.value.detail


async def test_a_private_key_that_is_none_is_told_without_it(world: World) -> None:
    model = world.model(world.file(private_key="-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n"))
    with pytest.raises(ModelMisconfigured) as told:
        await world.open(world.client(model), model)
    assert "hush" not in f"{told.value.detail} {told.value!r} {told.value.__cause__!r}"


@pytest.mark.parametrize("secret", ["ya29.a0AfB_byC-d." + "e" * 40, "AIza" + "x" * 35, "AQ.Ab8" + "y" * 40])
def test_what_an_upstream_quotes_of_googles_secrets_is_masked(secret: str) -> None:
    assert secret[8:] not in redact(f'{{"message":"Request had invalid credentials: {secret}"}}')


def test_origins_are_compared_as_a_browser_would() -> None:
    assert origin_of("HTTPS://OAuth2.googleapis.com:443/token") == "https://oauth2.googleapis.com"
    assert origin_of("https://[::1]:8443/x") == "https://[::1]:8443"
    assert origin_of("https://a@b/") is None
    assert Settings(token_origins=("https://sts.example.com",)).token_origins
    with pytest.raises(ValueError, match="no origin"):
        Settings(token_origins=("https://sts.example.com/token",))


GEMINI_PATH = "publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("base_url", "model", "expected"),
    [
        ("", "gemini-3-pro", f"https://aiplatform.googleapis.com/v1/projects/p/locations/global/{GEMINI_PATH}"),
        ("https://europe-west4-aiplatform.googleapis.com", "google/gemini-3-pro",
         f"https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/{GEMINI_PATH}"),
        ("https://aiplatform.eu.rep.googleapis.com/v1beta1/", "publishers/google/models/gemini-3-pro",
         f"https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu/{GEMINI_PATH}"),
        ("https://us-central1-aiplatform.googleapis.com/v1/projects/other/locations/us-central1/publishers/google/models",
         "gemini-3-pro",
         f"https://us-central1-aiplatform.googleapis.com/v1/projects/other/locations/us-central1/{GEMINI_PATH}"),
        ("https://proxy.example/vertex?k=1", "endpoints/77",
         "https://proxy.example/vertex/v1/projects/p/locations/global/endpoints/77:streamGenerateContent?alt=sse&k=1"),
        ("", "claude-opus-4-8@20260528",
         "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/"
         "claude-opus-4-8@20260528:streamRawPredict"),
        ("", "a/../../b?c", "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/"
         "a%2F..%2F..%2Fb%3Fc:streamGenerateContent?alt=sse"),
    ],
)  # fmt: skip
def test_where_a_request_goes(base_url: str, model: str, expected: str) -> None:
    assert url(base_url, "p", asked(model), stream=True) == expected


async def test_claude_is_asked_in_its_own_dialect(world: World) -> None:
    world.upstream.play("token", token("ya29.one"))
    world.upstream.play("ai", MESSAGES_ANSWERS["text"].behaviour())
    model = world.model(world.file(), model_id="claude-opus-4-8")
    client = world.client(model)
    body = b'{"model":"m","max_tokens":9,"unknown":1.50,"stream":%s,"messages":[]}'
    for stream in (b"true", b"false"):
        request = msgspec.structs.replace(
            MESSAGES_CLIENT.read_request(body % stream), headers=(("anthropic-beta", "b1"),)
        )
        opened = await world.open(client, model, request)
        assert opened.dialect.name == "messages"
    streamed, whole = world.asked("ai")
    assert streamed.target.endswith("/publishers/anthropic/models/claude-opus-4-8:streamRawPredict")
    assert whole.target.endswith("/publishers/anthropic/models/claude-opus-4-8:rawPredict")
    assert streamed.body == (
        b'{"max_tokens":9,"unknown":1.50,"stream":true,"messages":[],"anthropic_version":"vertex-2023-10-16"}'
    )
    assert dict(streamed.headers)["anthropic-beta"] == "b1"
    await world.open(client, model)
    assert "anthropic-beta" not in dict(world.asked("ai")[-1].headers)
    assert json.loads(world.asked("ai")[-1].body)["anthropic_version"] == "vertex-2023-10-16"
