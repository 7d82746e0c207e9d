"""Both lanes of the OpenAI provider: what leaves for the upstream, and how each failure is raised."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import openai
import pytest
from loopback_upstream import OK, OK_EVENTS, Upstream, attempt, http, model, request, taken

from gateway import GatewayError, Model, ProviderClient, Secret, Timeouts, UpstreamError, UpstreamUnreachable
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import (
    InvalidUpstreamUrl,
    StaleConnection,
    UpstreamConnectTimeout,
    UpstreamRedirect,
    UpstreamReset,
    UpstreamTimeout,
)
from gateway_openai.errors import OpenAIErrorMapper
from gateway_openai.provider import OpenAIProvider
from gateway_openai.settings import Lane

HOSTILE = {
    "OPENAI_API_KEY": "sk-leaked-key",
    "OPENAI_ADMIN_KEY": "sk-leaked-admin",
    "OPENAI_ORG_ID": "org-leaked",
    "OPENAI_PROJECT_ID": "proj-leaked",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/leaked",
    "OPENAI_CUSTOM_HEADERS": "x-leaked: yes\nauthorization: Bearer sk-leaked-custom\nx-odd: é",
    "OPENAI_WEBHOOK_SECRET": "leaked",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(params=["direct", "sdk"])
def lane(request: pytest.FixtureRequest) -> Lane:
    return request.param


@pytest.fixture
async def provider(lane: Lane) -> AsyncIterator[OpenAIProvider]:
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    yield OpenAIProvider(egress, lane)
    await egress.aclose()


async def ask(provider: OpenAIProvider, target: Model, **fields: Any) -> bytes:
    """One answer, whole."""
    client = provider.connect(target)
    try:
        opened = await client.open(request(**fields), attempt(target))
        assert opened.dialect.name == "chat"
        return (await taken(opened.body)).data
    finally:
        await client.aclose()


async def failure(provider: OpenAIProvider, target: Model, *before: GatewayError) -> tuple[Exception, GatewayError]:
    """What opening raises, and what the mapper makes of it."""
    trial = attempt(target, *before)
    client: ProviderClient = provider.connect(target)
    with pytest.raises(Exception) as caught:
        await client.open(request(), trial)
    await client.aclose()
    raised = caught.value
    assert isinstance(raised, Exception)
    mapped = raised if isinstance(raised, GatewayError) else OpenAIErrorMapper().map(raised, trial)
    assert mapped is not None
    return raised, mapped


async def test_answer_arrives_byte_for_byte(provider: OpenAIProvider) -> None:
    async with Upstream() as upstream:
        assert await ask(provider, model(f"{upstream.origin}/v1")) == OK_EVENTS


async def test_upstream_sees_the_request_and_nothing_else(provider: OpenAIProvider) -> None:
    async with Upstream() as upstream:
        await ask(provider, model(f"{upstream.origin}/v1", api_key=Secret("sk-test-key")), temperature=None)
        (seen,) = upstream.received
    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert seen.json() == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "temperature": None,
    }
    headers = dict(seen.headers)
    assert headers["authorization"] == "Bearer sk-test-key"
    assert headers["content-type"] == headers["accept"] == "application/json"
    allowed = {"host", "content-length", "content-type", "accept", "accept-encoding", "user-agent", "authorization"}
    assert set(headers) <= allowed | {"connection"}


async def test_numbers_and_unknown_fields_keep_their_spelling(provider: OpenAIProvider) -> None:
    spelled = {"seed": msgspec.Raw(b"123456789012345678901234567890"), "top_p": msgspec.Raw(b"1.0e-2")}
    target_fields = {"x_unknown": msgspec.Raw(b'{"a" : [1.50]}'), "text": msgspec.Raw(b'"\\ud83c"')}
    async with Upstream() as upstream:
        await ask(provider, model(upstream.origin), **spelled, **target_fields)
        (seen,) = upstream.received
    for raw in (*spelled.values(), *target_fields.values()):
        assert bytes(raw) in seen.body


async def test_absent_messages_stay_absent(provider: OpenAIProvider) -> None:
    target_request = request().with_fields(messages=None)
    async with Upstream() as upstream:
        target = model(upstream.origin)
        client = provider.connect(target)
        await taken((await client.open(target_request, attempt(target))).body)
        await client.aclose()
        assert "messages" not in upstream.received[0].json()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1///", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions/chat/completions"),
        ("/v1?api-version=1", "/v1?api-version=1/chat/completions"),
        ("/v1?a=b&c=%20", "/v1?a=b&c=%20/chat/completions"),
        ("/v1#part", "/v1"),
        ("/a/../v1", "/v1/chat/completions"),
        ("/a b/é", "/a%20b/%C3%A9/chat/completions"),
        ("/100%/v1", "/100%/v1/chat/completions"),
    ],
)
async def test_path_is_appended_to_the_base_url_as_text(provider: OpenAIProvider, path: str, target: str) -> None:
    async with Upstream() as upstream:
        await ask(provider, model(upstream.origin + path))
        assert upstream.received[0].target == target


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("sk-abc", "Bearer sk-abc"),
        ("", "Bearer"),
        ("   ", "Bearer"),
        (" sk-abc\n", "Bearer  sk-abc"),
        ("sk-abc\r\n\t ", "Bearer sk-abc"),
        ("sk-a b", "Bearer sk-a b"),
        ("clé", "Bearer clé"),
    ],
)
async def test_key_is_sent_as_the_original_sent_it(provider: OpenAIProvider, key: str, sent: str) -> None:
    async with Upstream() as upstream:
        await ask(provider, model(upstream.origin, api_key=Secret(key)))
        assert upstream.received[0].header("authorization") == sent


@pytest.mark.parametrize("key", ["ключ", "a\nb", "a\r\nx-evil: 1", "a\x00b", "a\x01b", "a\x7fb", "\ud83c"])
async def test_key_no_header_can_hold_is_a_connection_error(provider: OpenAIProvider, key: str) -> None:
    async with Upstream() as upstream:
        raised, mapped = await failure(provider, model(upstream.origin, api_key=Secret(key)))
        assert upstream.accepted == 0
    assert isinstance(raised, openai.APIConnectionError)
    assert type(mapped) is UpstreamUnreachable
    assert not mapped.retryable


@pytest.mark.parametrize("base_url", ["not a url", "", "/v1", "http://[::1/v1"])
async def test_unparsable_base_url_is_told_apart(provider: OpenAIProvider, base_url: str) -> None:
    raised, mapped = await failure(provider, model(base_url))
    assert raised is mapped
    assert isinstance(mapped, InvalidUpstreamUrl)
    assert not mapped.retryable


async def test_scheme_that_is_not_http_is_a_connection_error(provider: OpenAIProvider) -> None:
    _, mapped = await failure(provider, model("ftp://127.0.0.1/v1"))
    assert isinstance(mapped, UpstreamUnreachable)


async def test_own_headers_of_a_model_are_sent_and_its_frame_is_not(provider: OpenAIProvider) -> None:
    own = {
        "X-Own": "yes",
        "User-Agent": "theirs/1",
        "api-key": "k",
        "Host": "evil.example",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
        "Connection": "close, x-own",
        "Proxy-Authorization": "Basic x",
        "Metadata-Flavor": "Google",
        "X-aws-ec2-metadata-token": "t",
    }
    async with Upstream() as upstream:
        await ask(provider, model(upstream.origin, headers=own))
        headers = dict(upstream.received[0].headers)
        assert headers["host"] == upstream.origin.removeprefix("http://")
    assert (headers["x-own"], headers["user-agent"], headers["api-key"]) == ("yes", "theirs/1", "k")
    refused = {"transfer-encoding", "proxy-authorization", "metadata-flavor", "x-aws-ec2-metadata-token"}
    assert not refused & set(headers)
    assert "x-own" not in headers.get("connection", "")


@pytest.mark.parametrize("own", [{"x-own": "a\r\nx-evil: 1"}, {"x-own": "a\x00"}, {"x own": "a"}, {"x:": "a"}])
async def test_header_that_would_break_the_frame_is_never_sent(provider: OpenAIProvider, own: dict[str, str]) -> None:
    async with Upstream() as upstream:
        _, mapped = await failure(provider, model(upstream.origin, headers=own))
        assert upstream.accepted == 0
    assert isinstance(mapped, UpstreamUnreachable)


async def test_nothing_of_the_environment_reaches_an_upstream(
    provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    async with Upstream() as upstream:
        await ask(provider, model(f"{upstream.origin}/v1"))
        (seen,) = upstream.received
    text = repr((seen.target, seen.headers, seen.body)).lower()
    assert "leaked" not in text
    assert "openai-" not in text
    assert "stainless" not in text
    assert seen.header("authorization") == "Bearer"


STATUSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    402: openai.APIStatusError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
async def test_error_answer_is_raised_as_the_sdk_raises_it(
    provider: OpenAIProvider, status: int, kind: type[openai.APIStatusError]
) -> None:
    body = b'{"error":{"message":"no","type":"t","param":"p","code":"c"}}'
    async with Upstream(http(status, body, {"content-type": "application/json", "X-Request-Id": "r1"})) as upstream:
        raised, mapped = await failure(provider, model(upstream.origin))
        assert len(upstream.received) == 1
    assert type(raised) is kind
    assert isinstance(raised, openai.APIStatusError)
    assert (raised.code, raised.param, raised.request_id) == ("c", "p", "r1")
    assert str(raised) == f"Error code: {status} - no"
    assert isinstance(mapped, UpstreamError)
    assert (mapped.status, mapped.body, mapped.provider) == (status, body, "openai")
    assert mapped.retryable == (status in (409, 429) or status >= 500)
    assert dict(mapped.headers)["x-request-id"] == "r1"


@pytest.mark.parametrize("body", [b"", b"<h1>\xff</h1>", b'{"error":null}', b"[1]", b"[" * 5000, b'{"error":"text"}'])
async def test_any_error_body_is_kept_as_it_came(provider: OpenAIProvider, body: bytes) -> None:
    async with Upstream(http(404, body, {"content-type": "text/html; charset=nonsense"})) as upstream:
        _, mapped = await failure(provider, model(upstream.origin))
    assert isinstance(mapped, UpstreamError)
    assert (mapped.status, mapped.body) == (404, body)


@pytest.mark.parametrize("charset", ["utf-16", "utf-16be", "utf-7", "idna", "punycode", "hex"])
async def test_the_charset_of_an_error_body_is_not_believed(provider: OpenAIProvider, charset: str) -> None:
    body = '{"error":{"message":"né 漢"}}'.encode()
    async with Upstream(http(400, body, {"content-type": f"application/json; charset={charset}"})) as upstream:
        raised, mapped = await failure(provider, model(upstream.origin))
    assert str(raised) == "Error code: 400 - né 漢"
    assert isinstance(mapped, UpstreamError)
    assert (mapped.status, mapped.body) == (400, body)


async def test_status_of_an_error_stays_when_its_body_breaks_off(provider: OpenAIProvider) -> None:
    async with Upstream(http(503, b'{"error', content_length=100), ends=True) as upstream:
        _, mapped = await failure(provider, model(upstream.origin))
    assert isinstance(mapped, UpstreamError)
    assert (mapped.status, mapped.body) == (503, b'{"error')


async def test_endless_error_body_is_cut_at_a_mebibyte(provider: OpenAIProvider) -> None:
    async with Upstream(http(500, b"x" * (3 << 20), {"content-type": "text/plain"})) as upstream:
        _, mapped = await failure(provider, model(upstream.origin))
    assert isinstance(mapped, UpstreamError)
    assert (mapped.status, len(mapped.body)) == (500, 1 << 20)


async def test_retry_after_of_an_upstream_is_handed_on(provider: OpenAIProvider) -> None:
    async with Upstream(http(429, b"{}", {"retry-after": "7", "x-should-retry": "false"})) as upstream:
        _, mapped = await failure(provider, model(upstream.origin))
    assert (mapped.retry_after, mapped.retryable) == (7.0, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
async def test_redirect_is_never_followed(provider: OpenAIProvider, status: int) -> None:
    async with Upstream() as elsewhere:
        location = {"location": f"{elsewhere.origin}/v1/chat/completions"}
        async with Upstream(http(status, b"", location)) as upstream:
            raised, mapped = await failure(provider, model(upstream.origin))
        assert elsewhere.accepted == 0
    assert isinstance(raised, openai.APIConnectionError)
    assert isinstance(mapped, UpstreamRedirect)
    assert not mapped.retryable


async def test_refused_connection_is_unreachable(provider: OpenAIProvider) -> None:
    async with Upstream() as upstream:
        target = model(upstream.origin)
    raised, mapped = await failure(provider, target)
    assert isinstance(raised, openai.APIConnectionError)
    assert isinstance(mapped, UpstreamUnreachable)
    assert mapped.retryable


async def test_address_the_guard_denies_is_unreachable(lane: Lane) -> None:
    egress = EgressClient(EgressPolicy())
    async with Upstream() as upstream:
        _, mapped = await failure(OpenAIProvider(egress, lane), model(upstream.origin))
        assert upstream.accepted == 0
    await egress.aclose()
    assert isinstance(mapped, UpstreamUnreachable)


async def test_connection_that_ends_without_an_answer_is_a_reset(provider: OpenAIProvider) -> None:
    async with Upstream(b"") as upstream:
        raised, mapped = await failure(provider, model(upstream.origin))
    assert isinstance(raised, openai.APIConnectionError)
    assert isinstance(mapped, UpstreamReset)


async def test_upstream_that_never_answers_times_out(provider: OpenAIProvider) -> None:
    async with Upstream(silent=True) as upstream:
        target = model(upstream.origin, timeouts=Timeouts(first=0.05))
        raised, mapped = await failure(provider, target)
    assert isinstance(raised, openai.APITimeoutError)
    assert isinstance(mapped, UpstreamTimeout)
    assert not isinstance(mapped, UpstreamConnectTimeout)


async def test_try_after_a_stale_connection_dials_anew(provider: OpenAIProvider) -> None:
    async with Upstream() as upstream:
        target = model(upstream.origin)
        await ask(provider, target)
        await ask(provider, target)
        assert upstream.accepted == 1
        client = provider.connect(target)
        await taken((await client.open(request(), attempt(target, StaleConnection("gone")))).body)
        await client.aclose()
        assert upstream.accepted == 2


async def test_cancelling_closes_the_upstream(provider: OpenAIProvider) -> None:
    async with Upstream(silent=True) as upstream:
        target = model(upstream.origin)
        client = provider.connect(target)
        opening = asyncio.create_task(client.open(request(), attempt(target)))
        async with asyncio.timeout(10):
            await upstream.asked.wait()
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await upstream.left.wait()
        await client.aclose()


async def test_status_is_noted_on_the_attempt(provider: OpenAIProvider) -> None:
    async with Upstream(http(503), OK) as upstream:
        target = model(upstream.origin)
        client = provider.connect(target)
        refused, answered = attempt(target), attempt(target)
        with pytest.raises(openai.InternalServerError):
            await client.open(request(), refused)
        await taken((await client.open(request(), answered)).body)
        await client.aclose()
    assert (refused.upstream_status, answered.upstream_status) == (503, 200)


async def test_answers_side_by_side_are_not_mixed_up(provider: OpenAIProvider) -> None:
    async with Upstream() as upstream:
        target = model(upstream.origin)
        client = provider.connect(target)
        opened = await asyncio.gather(*(client.open(request(user=str(n)), attempt(target)) for n in range(20)))
        for one in opened:
            await taken(one.body)
        await client.aclose()
        assert sorted(seen.json()["user"] for seen in upstream.received) == sorted(map(str, range(20)))


async def test_failures_do_not_carry_the_key(provider: OpenAIProvider) -> None:
    async with Upstream(http(401, b"{}"), b"") as upstream:
        target = model(upstream.origin, api_key=Secret("canary-key-value"))
        for _ in range(2):
            raised, _ = await failure(provider, target)
            assert isinstance(raised, openai.APIError)
            assert "canary" not in repr((raised, raised.request.headers, str(raised.request.url)))
