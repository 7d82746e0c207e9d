"""Rows 51 and 52: whatever comes in is answered in the dialect of its path, by 4xx and never by 5xx.

JSONTestSuite is sent to every surface, as whole bodies and as the value of a field that nobody knows.
"""

import asyncio
import json
import socket
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from json_cases import CASES
from seeding import seed

from gateway.registry import NewModel
from gateway.server import HttpProtocol
from gateway.testing import canned_messages
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, ScriptedUpstream, chat_events, reply, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")
HANG = 60
LIMIT = 64 * 1024
"""Of bodies, so that one that is too large is small."""
MODEL_ID = "00000000-0000-4000-8000-000000000001"
HI = [{"role": "user", "content": "hi"}]
JSON = {"content-type": "application/json"}
MESSAGE = (canned_messages.start(), *canned_messages.text("fine"), *canned_messages.end())
MESSAGES = Behaviour(headers=(("content-type", "text/event-stream"),), writes=MESSAGE, chunked=True, pause=0)


class Surface(NamedTuple):
    """A path that takes a body, and a good one for it."""

    path: str
    good: dict[str, Any]
    takes_unknown: bool = True
    """Whether a field that nobody knows is no mistake."""


SURFACES = {
    "custom": Surface(
        "/api/chat/custom",
        {"chatSettings": {"model": "m", "temperature": 0.5}, "messages": HI, "customModelId": MODEL_ID},
    ),
    "chat": Surface("/v1/chat/completions", {"model": "chat", "messages": HI, "stream": True}),
    "completions": Surface("/v1/completions", {"model": "claude", "prompt": "hi", "stream": True}),
    "messages": Surface("/v1/messages", {"model": "chat", "messages": HI, "max_tokens": 5, "stream": True}),
    "responses": Surface("/v1/responses", {"model": "chat", "input": "hi", "stream": True}),
    "embeddings": Surface("/v1/embeddings", {"model": "plain", "input": "hi"}),
    "count_tokens": Surface("/v1/messages/count_tokens", {"model": "counting", "messages": HI}),
    "explain": Surface("/admin/explain", {"model": "chat"}, takes_unknown=False),
}


class Line:
    """A connection that is kept for many requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, key: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        said = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = b""
        if b"\r\ntransfer-encoding: chunked\r\n" in said:
            while size := int(await reader.readline(), 16):
                answer += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            answer = await reader.readexactly(int(said.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]))
        if b"\r\nconnection: close\r\n" in said:
            await self.close()
        return int(said[9:12]), answer

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class World(NamedTuple):
    """A running gateway, and the slow requests that were sent to it at the start."""

    gateway: RunningGateway
    upstream: ScriptedUpstream
    keys: dict[str, str]
    slow: dict[str, "asyncio.Task[bytes]"]

    def key(self, path: str) -> str:
        return self.keys["admin" if path.startswith("/admin") else "one"]

    async def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of what one request is answered."""
        line = Line(self.gateway.port)
        try:
            return await line.ask(path, self.key(path), body)
        finally:
            await line.close()

    async def raw(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes until the connection ends."""
        return await raw(self.gateway.port, request)


async def raw(port: int, request: bytes, drop: bytes = b"") -> bytes:
    """What is answered until the connection ends; with a `drop` that is sent behind the request twice a second.

    On the socket itself: asyncio's streams throw away an answer that came just before a reset.
    """
    loop = asyncio.get_running_loop()
    with socket.socket() as connected:
        connected.setblocking(False)
        await loop.sock_connect(connected, ("127.0.0.1", port))

        async def send() -> None:
            try:
                await loop.sock_sendall(connected, request)
                while drop:
                    await asyncio.sleep(0.5)
                    await loop.sock_sendall(connected, drop)
            except OSError:
                pass  # refused before all of it was read

        sending, answer = loop.create_task(send()), b""
        try:
            async with asyncio.timeout(HANG):
                while data := await loop.sock_recv(connected, 65536):
                    answer += data
        except ConnectionResetError:
            pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("edge") / "data"
    environ = {
        "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
        "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
        "GATEWAY_BODY_LIMIT": str(LIMIT),
    }
    async with ScriptedUpstream() as upstream:
        plays = {
            "chat": stream(*chat_events("fine"), pause=0),
            "plain": reply(200, b'{"data":[]}', JSON),
            "claude": MESSAGES,
            "counting": reply(200, b'{"input_tokens":3}', JSON),
        }
        models = [
            NewModel(
                name=name,
                id=MODEL_ID if name == "chat" else None,
                base_url=upstream.play(name, behaviour),
                model_id="up",
                provider="anthropic" if name in ("claude", "counting") else "openai",
            )
            for name, behaviour in plays.items()
        ]
        keys = await seed(data_dir, environ, models=models, keys={"one": None, "admin": None}, admins=["admin"])
        async with RunningGateway(data_dir, environ=environ) as gateway:
            slow = {
                f"{what} {path}": asyncio.create_task(raw(gateway.port, *parts))
                for path in DIALECTS
                for what, parts in _slow(path).items()
            }
            yield World(gateway, upstream, keys, slow)
            assert (await gateway.client.request("GET", "/health/ready")).status == 200
            assert "Traceback" not in gateway.log
            assert "internal_error" not in gateway.log


def _slow(path: str) -> dict[str, tuple[bytes, bytes]]:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode()
    return {
        "head": (head, b"X"),
        "body": (head + b"Content-Length: 1000\r\n\r\n{", b" "),
        "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    }


async def answers(world: World, path: str, bodies: dict[str, bytes]) -> dict[str, tuple[int, bytes]]:
    """What is answered to each, four at a time."""
    left, told = iter(bodies.items()), {}

    async def work() -> None:
        line = Line(world.gateway.port)
        for name, body in left:
            async with asyncio.timeout(HANG):
                told[name] = await line.ask(path, world.key(path), body)
        await line.close()

    await asyncio.gather(*(work() for _ in range(4)))
    return told


def in_dialect(path: str, status: int, body: bytes) -> bool:
    """Whether a refusal is written as the clients of that path read it, with words in it."""
    told = json.loads(body)
    if path.startswith("/v1/messages"):
        return told["type"] == "error" and set(told["error"]) >= {"type", "message"} and bool(told["error"]["message"])
    if path.startswith("/v1"):
        return set(told["error"]) == {"message", "type", "param", "code"} and bool(told["error"]["message"])
    if path.startswith("/admin"):
        return bool(told["status"] == status and told["title"] and told["detail"])
    return list(told) == ["message"] and bool(told["message"])


def said(answer: bytes) -> bytes:
    """An answer's body."""
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
async def test_json_as_a_whole_body(world, surface):
    told = await answers(world, surface.path, CASES)
    wrong = {
        name: (status, body[:200])
        for name, (status, body) in told.items()
        if status != 400 or not in_dialect(surface.path, status, body)
    }
    assert wrong == {}, "none of them is a request: every one is 400"
    # A correct text is told what is missing, and never that it is no JSON.
    called_broken = {
        name
        for name, (_, body) in told.items()
        if name.startswith("y_") and (b"not valid JSON" in body or b"UTF-8" in body or b"nested" in body)
    }
    assert called_broken == set()


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
async def test_json_as_the_value_of_a_field_nobody_knows(world, surface):
    good = json.dumps(surface.good).encode()
    told = await answers(world, surface.path, {n: good[:-1] + b', "x_unknown": ' + v + b"}" for n, v in CASES.items()})
    right = {"y": {200} if surface.takes_unknown else {200, 400}, "n": {400}, "i": {200, 400}}
    wrong = {
        name: (status, body[:200])
        for name, (status, body) in told.items()
        if status not in right[name[0]] or (status == 400 and not in_dialect(surface.path, status, body))
    }
    assert wrong == {}


async def test_of_a_field_given_twice_the_last_counts_and_only_that_goes_upstream(world):
    last = b'"model": "chat", "messages": [{"role":"user","content":"1"}], "stream": true'
    body = b'{"model": "nobody", "messages": [], ' + last + b"}"
    status, _ = await world.ask("/v1/chat/completions", body)
    sent = world.upstream.seen("chat")[-1].request.body
    assert status == 200
    assert (sent.count(b'"model"'), sent.count(b'"messages"')) == (1, 1)
    assert json.loads(sent)["messages"] == [{"role": "user", "content": "1"}]


@pytest.mark.parametrize("surface", [surface for surface in SURFACES.values() if surface.takes_unknown])
async def test_a_mark_of_byte_order_is_passed_over(world, surface):
    body = b"\xef\xbb\xbf" + json.dumps(surface.good).encode()
    status, _ = await world.ask(surface.path, body)
    assert status == 200


DIALECTS = ("/api/chat/custom", "/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/admin/explain", "/nowhere")
HTTP = {
    "too many bytes of headers": (b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    "too many headers": (b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"\r\n", 431),
    "length and chunks": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "bare LF": (b"X: y\nContent-Length: 0\r\n\r\n", 400),
    "folded header": (b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", 400),
    "bad length": (b"Content-Length: 1x\r\n\r\n{", 400),
    "bad chunk size": (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n", 400),
    "chunk longer than it says": (b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400),
    "endless trailer": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: " + b"y" * 400_000, 431),
    "coding nobody knows": (b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "two hosts": (b"Host: b\r\nContent-Length: 0\r\n\r\n", 400),
}


@pytest.mark.parametrize("path", DIALECTS)
async def test_broken_http_is_refused_in_the_dialect_of_its_path(world, path):
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode()
    told = await asyncio.gather(*(world.raw(head + rest) for rest, _ in HTTP.values()))
    wrong = {}
    for (name, (_, right)), answer in zip(HTTP.items(), told, strict=True):
        status = int(answer[9:12] or 0)
        # Who is refused by the head alone hears that, and the connection ends.
        early = status in (401, 404) and name == "endless trailer"
        if (
            answer.count(b"HTTP/1.1 ") != 1
            or not (status == right or early)
            or not in_dialect(path, status, said(answer))
        ):
            wrong[name] = answer[:200]
    assert wrong == {}


@pytest.mark.parametrize("path", DIALECTS[:-1])
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(world, path):
    """The client has sent its head only, and would wait for ever."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {world.key(path)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {10**12}\r\n"
    ).encode()
    for rest in (b"\r\n", b"Expect: 100-continue\r\n\r\n"):
        answer = await world.raw(head + rest)
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert in_dialect(path, 413, said(answer))


@pytest.mark.parametrize("path", DIALECTS[:-1])
async def test_chunks_that_grow_too_large_are_refused(world, path):
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {world.key(path)}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    answer = await world.raw(head + (b"1000\r\n" + b" " * 4096 + b"\r\n") * (LIMIT // 4096 + 1))
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    assert in_dialect(path, 413, said(answer))


async def test_a_compressed_body_is_refused_unread(world):
    for path in DIALECTS[:4]:
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        answer = await world.raw(head.encode() + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert in_dialect(path, 400, said(answer))


async def test_requests_behind_each_other_are_answered_in_their_order(world):
    chat = json.dumps(SURFACES["chat"].good).encode()
    head = f"HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {world.keys['one']}\r\n".encode()
    first = b"POST /v1/chat/completions %bContent-Length: %d\r\n\r\n%b" % (head, len(chat), chat)
    answer = await world.raw(
        first + b"GET /v1/models %b\r\n" % head + b"GET /nowhere %bConnection: close\r\n\r\n" % head
    )
    places = [answer.index(sign) for sign in (b"data: [DONE]", b'"object":"list"', b"Nothing is served at /nowhere")]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 ") == 3


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://elsewhere.example/v1/models", 200),
        (b"http://elsewhere.example:1/v1/models?x=y", 200),
        (b"//v1/models", 200),
        (b"/v1//models", 200),
        (b"//admin/health", 403),
        (b"/v1/%2e%2e/admin/plugins", 404),
        (b"/v1/../admin/plugins", 404),
        (b"/v1/models%00", 404),
        (b"/v1/%ff%fe", 404),
        (b"/%", 404),
        (b"*", 404),
    ],
)
async def test_targets_lead_to_their_path_or_nowhere(world, target, status):
    key = world.keys["one"].encode()
    for version in (b"1.1", b"1.0"):
        answer = await world.raw(
            b"GET %b HTTP/%b\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer %b\r\n\r\n"
            % (target, version, key)
        )
        assert answer.startswith(b"HTTP/1.1 %d " % status), (version, answer)


async def test_a_slow_request_is_given_up(world):
    """They have been sending since the file's first test."""
    assert HttpProtocol.window < 10
    told = dict(zip(world.slow, await asyncio.gather(*world.slow.values()), strict=True))
    wrong = {}
    for name, answer in told.items():
        what, path = name.split()
        status = int(answer[9:12] or 0)
        # Who is refused by the head alone hears that at once; the connection ends all the same.
        early = status in (401, 404) and what != "head"
        if not (status == 408 or early) or not in_dialect(path, status, said(answer)):
            wrong[name] = answer[:200]
    assert wrong == {}
