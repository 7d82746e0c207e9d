"""Whatever a client writes: a clear refusal, never a 5xx of ours, never a traceback."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL_ID = "00000000-0000-4000-8000-000000000001"
REFUSED_URLS = {
    "00000000-0000-4000-8000-000000000002": ("http://169.254.169.254/latest", "Connection error."),
    "00000000-0000-4000-8000-000000000003": ("http://10.1.2.3/v1", "Connection error."),
    "00000000-0000-4000-8000-000000000004": ("file:///etc/passwd", "Connection error."),
    "00000000-0000-4000-8000-000000000005": ("http://[::1", "Invalid URL"),
    "00000000-0000-4000-8000-000000000006": ("http://127.0.0.1:1@0x7f.1:80/v1", "Connection error."),
    "00000000-0000-4000-8000-000000000007": ("", "Invalid URL"),
    "00000000-0000-4000-8000-000000000008": ("http://localhost:65536/v1", "Invalid URL"),
    "00000000-0000-4000-8000-000000000009": ("ünicode://x", "Invalid URL"),
}
SETTINGS = {"model": "m", "temperature": 0.5}
GOOD = {"chatSettings": SETTINGS, "messages": [], "customModelId": MODEL_ID}


def _with(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def _without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


NO_JSON_OBJECT = {
    "empty": b"",
    "white space": b" \n ",
    "cut short": _with()[:-5],
    "two documents": _with() + _with(),
    "trailing comma": b'{"chatSettings": {},}',
    "single quotes": b"{'chatSettings': {}}",
    "comment": b'{"a": 1} // x',
    "NaN": b'{"chatSettings": NaN}',
    "form": b"chatSettings=x&customModelId=y",
    "null": b"null",
    "number": b"7",
    "array": b"[{}]",
    "string": b'"x"',
    "invalid UTF-8": _with(x="y").replace(b"y", b"\xff\xfe"),
    "overlong UTF-8": _with(x="y").replace(b"y", b"\xc0\xaf"),
    "encoded surrogate": _with(x="y").replace(b"y", b"\xed\xa0\x80"),
    "UTF-16": _with().decode().encode("utf-16"),
    "raw control character": _with(x="y").replace(b"y", b"\x01"),
    "deep arrays": b"[" * 100_000,
    "deep and closed": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep messages": _with().replace(b'"messages": []', b'"messages": ' + b"[" * 100_000 + b"]" * 100_000),
    "NUL bytes": b"\0" * 1000,
}
WRONG_TYPES = {
    "no chatSettings": _without("chatSettings"),
    "chatSettings null": _with(chatSettings=None),
    "chatSettings string": _with(chatSettings="x"),
    "chatSettings array": _with(chatSettings=[]),
    "chatSettings number": _with(chatSettings=1),
}
MALFORMED_IDS = {
    "empty": "",
    "name": "gpt-4",
    "true": True,
    "number": 12,
    "object": {},
    "list": [1, [2]],
    "too long": "1" * 100_000,
    "injection": "' OR 1=1 --",
    "newline": "a\r\nset-cookie: x=1",
    "NUL": "\0",
    "lone surrogate": "\ud800",
    "path": "../../etc/passwd",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[ScriptedUpstream, RunningGateway]]:
    """One upstream and one gateway for all: none of them changes it."""
    folder = tmp_path_factory.mktemp("bad-input")
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("case", stream(*chat_events("fine"), pause=0.0))
        environ = {
            "GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]',
            "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
        }
        good = NewModel(id=MODEL_ID, name="Good", model_id="m", base_url=base_url)
        bad = [NewModel(id=id, name=id, model_id="m", base_url=url) for id, (url, _) in REFUSED_URLS.items()]
        await seed(folder, environ, models=[good, *bad])
        async with RunningGateway(folder, environ=environ) as running:
            yield upstream, running


@pytest.fixture
def upstream(world) -> ScriptedUpstream:
    """The upstream, which has seen nothing yet."""
    world[0].seen("case").clear()
    return world[0]


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(world) -> AsyncIterator[RunningGateway]:
    """A gateway that has survived: it still answers afterwards, and its log holds no traceback."""
    running = world[1]
    yield running
    assert (await running.client.chat(MODEL_ID)).body == b"fine"
    assert "Traceback" not in running.log


async def post(gateway: RunningGateway, body: bytes, *headers: tuple[str, str]) -> tuple[int | None, str]:
    """Status and message of the route's answer, which has to be a `{message}`."""
    async with asyncio.timeout(30):
        response = await gateway.client.request("POST", "/api/chat/custom", headers=headers, body=body)
    assert response.complete, response.error
    assert response.header("content-type") == "text/plain;charset=UTF-8"
    answer = response.json()
    assert list(answer) == ["message"]
    assert isinstance(answer["message"], str)
    assert answer["message"]
    return response.status, answer["message"]


async def test_a_body_that_is_no_json_object_is_400(gateway, upstream):
    answers = {name: await post(gateway, body) for name, body in NO_JSON_OBJECT.items()}
    assert {name: status for name, (status, _) in answers.items() if status != 400} == {}
    assert upstream.seen("case") == []


async def test_chat_settings_that_are_no_object_are_400_and_named(gateway):
    answers = {name: await post(gateway, body) for name, body in WRONG_TYPES.items()}
    assert {
        name for name, (status, message) in answers.items() if status != 400 or "chatSettings" not in message
    } == set()


async def test_a_malformed_id_is_told_in_postgres_words(gateway):
    answers = {name: await post(gateway, _with(customModelId=value)) for name, value in MALFORMED_IDS.items()}
    for name, (status, message) in answers.items():
        assert status == 500, name
        assert message.startswith('invalid input syntax for type uuid: "'), name


async def test_what_the_original_ignored_is_ignored(gateway):
    for body in (_with(unknown={"a": [1]}), _with(chatSettings={**SETTINGS, "x": 1}), _without("messages")):
        response = await gateway.client.request("POST", "/api/chat/custom", body=body)
        assert (response.status, response.body) == (200, b"fine")


async def test_a_body_above_the_limit_is_413(gateway, upstream):
    large = _with(padding="x" * 20_000_000)
    assert (await post(gateway, large))[0] == 413
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
    head = b"POST /api/chat/custom HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    async with asyncio.timeout(30):
        response = await (await gateway.client.send_bytes(head + chunked)).finish()
    assert (response.status, list(response.json())) == (413, ["message"])
    assert upstream.seen("case") == []


async def test_a_body_that_never_ends_disturbs_nobody(gateway):
    head = b"POST /api/chat/custom HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
    waiting = await gateway.client.send_bytes(head)
    assert (await gateway.client.chat(MODEL_ID)).body == b"fine"
    await waiting.leave()


async def test_models_whose_address_is_refused_say_so_in_the_originals_words(gateway):
    """The tables accept what Chatbot UI's accept; the door refuses, without a word about what lies behind it."""
    async with asyncio.timeout(60):
        asked = await asyncio.gather(*(gateway.client.chat(model_id) for model_id in REFUSED_URLS))
    for response, (url, message) in zip(asked, REFUSED_URLS.values(), strict=True):
        assert (response.status, response.json()) == (500, {"message": message}), url
