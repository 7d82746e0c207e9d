"""Where the provider `gemini` sends a request, what it carries, and how Google's errors are told."""

import json
from typing import Any

import msgspec
import pytest

from gateway import Model, UpstreamError
from gateway.domain import Quirks
from gateway.egress import EgressClient, EgressPolicy
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.standin import StandInGateway, StandInSnapshot
from gateway.testing.upstream import Behaviour, ScriptedUpstream, reply
from gateway_gemini.failure import told_apart
from gateway_gemini.provider import GeminiProvider

CHAT = chat_request("m")
BAD_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}
EXHAUSTED = {
    "error": {
        "code": 429,
        "message": "Quota exceeded.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}],
    }
}


def model(model_id: str = "gemini-3-flash", **fields: Any) -> Model:
    return Model(id="1", name="m", model_id=model_id, provider="gemini", **{"base_url": "", **fields})


METHOD = ":streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("base_url", "model_id", "url"),
    [
        ("", "gemini-3-flash",
         f"https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash{METHOD}"),
        ("https://generativelanguage.googleapis.com/", "models/gemini-3-flash",
         f"https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash{METHOD}"),
        ("https://a.example/v1alpha/models/", "tunedModels/mine",
         f"https://a.example/v1alpha/tunedModels/mine{METHOD}"),
        ("https://a.example/google?key=1", "a/../b?c#d",
         f"https://a.example/google/v1beta/models/a%2F..%2Fb%3Fc%23d{METHOD}&key=1"),
    ],
)  # fmt: skip
def test_base_urls_may_have_their_version_or_not(base_url: str, model_id: str, url: str) -> None:
    assert GeminiProvider().url(CHAT, model(model_id, base_url=base_url)) == url


def test_a_client_that_names_the_upstreams_model_is_taken_at_its_word() -> None:
    asked = chat_request("gemini-2.5-pro").with_keeps_model(True)
    assert "/models/gemini-2.5-pro:" in GeminiProvider().url(asked, model())


async def opened(behaviour: Behaviour, **fields: Any) -> Any:
    """What the upstream was sent, or the error that came of it."""
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with ScriptedUpstream() as upstream:
        to = model(base_url=upstream.play("wire", behaviour), **fields)
        provider = GeminiProvider()
        provider.bind(StandInGateway(None, egress, StandInSnapshot()))
        client = provider.connect(to)
        try:
            answer: Any = await client.open(CHAT, exchange_of(CHAT, to).attempts[0])
        except UpstreamError as error:
            return error
        finally:
            await client.aclose()
            await egress.aclose()
        answer.body.close()
        return upstream.seen("wire")[0].request


async def test_what_goes_out_on_the_wire() -> None:
    headers = {"X-Goog-User-Project": "p", "metadata-flavor": "Google"}
    request = await opened(reply(200, b""), api_key=Secret(" AIza1 "), headers=headers)
    carried = dict(request.headers)
    assert request.target == f"/wire/v1/models/gemini-3-flash{METHOD}"
    assert (carried["x-goog-api-key"], carried["x-goog-user-project"]) == ("AIza1", "p")
    assert not {"authorization", "metadata-flavor"} & carried.keys()
    assert json.loads(request.body) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    assert "x-goog-api-key" not in dict(GeminiProvider().headers(model()))


@pytest.mark.parametrize("body", [BAD_KEY, [BAD_KEY]])
async def test_a_bad_key_is_the_operators_affair(body: Any) -> None:
    error = await opened(reply(400, json.dumps(body).encode()))
    assert error.status == 401
    assert json.loads(error.body)["error"] == {"message": BAD_KEY["error"]["message"], "code": "invalid_argument"}


async def test_when_to_come_again_is_told() -> None:
    error = await opened(reply(429, json.dumps([EXHAUSTED]).encode()))
    assert (error.status, error.retry_after, error.retryable) == (429, 34.5, True)
    told = await opened(reply(429, json.dumps(EXHAUSTED).encode(), {"retry-after": "7"}))
    assert told.retry_after == 7


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"error":null}', b"[" * 2000])
def test_an_error_that_is_not_googles_stays_as_it_is(body: bytes) -> None:
    error = UpstreamError(503, body)
    assert told_apart(error) is error


def test_parameters_of_the_model_stand_where_the_client_said_nothing() -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    parameters = {"temperature": 0.1, "topK": 40, "safetySettings": safety, "generationConfig": {"seed": 7}}
    to = model(parameters=parameters)
    asked = chat_request("m", temperature=0.9)
    body = json.loads(GeminiProvider().dialect.write_request(asked, to))
    assert body["safetySettings"] == safety
    assert body["generationConfig"] == {"temperature": 0.9, "topK": 40, "seed": 7}
    quirky = msgspec.structs.replace(to, quirks=Quirks(omit=frozenset({"temperature", "safetySettings"})))
    body = json.loads(GeminiProvider().dialect.write_request(asked, quirky))
    assert "safetySettings" not in body
    assert body["generationConfig"] == {"topK": 40, "seed": 7}
