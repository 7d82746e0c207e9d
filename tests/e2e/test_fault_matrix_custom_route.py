"""Every way an upstream fails, through a whole gateway: what the client sees, what is accounted, what is left behind.

One gateway for each lane of the provider, one test for each fault. Each checks that the client is told the truth in
time (status, text, and whether the body was ended or cut), that the upstream's connection is closed, that there is
exactly one usage record for each attempt with the right outcome. In the end: tasks and descriptors as at the start, no
traceback, and no secret in anything that came out of the gateway.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from fault_world import HANG, PROBE, World, broken_ports, identity, script
from seeding import seed

from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing import faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, reply, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = 'Canary"Provider\\Key'
"""No pattern finds it, and JSON writes it otherwise than it is."""
HEADER = "canary-of-a-header"
TIMEOUTS = {"connect": 1.0, "first": 1.5, "idle": 0.5, "total": 20.0}
SSE = (("content-type", "text/event-stream"),)
ZIP = (*SSE, ("content-encoding", "gzip"))
TEXT = b'data: {"choices":[{"delta":{"content":"part"}}]}\n\n'
MORE = b'data: {"choices":[{"delta":{"content":"ial"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
REFUSED, TIMED_OUT = "Connection error.", "Request timed out."
ERROR, TRUNCATED = "upstream_error", "truncated"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and all that has to come of it."""

    row: int
    play: tuple[Behaviour, ...] = ()
    base_url: str | None = None
    """Where the upstream is, if it is not the scripted one."""
    status: int = 200
    message: str | None = None
    """Of a failure before the stream."""
    text: str = ""
    """Of a stream."""
    complete: bool = True
    outcomes: tuple[str, ...] = ("ok",)
    retry_after: str | None = None
    kept: bool = False
    """The upstream's connection may stay open for the next request."""


def told(status: int, message: str, *, tries: int = 1, outcome: str = ERROR) -> dict[str, Any]:
    """A failure before the stream."""
    return {"status": status, "message": message, "outcomes": (outcome,) * tries}


def cut(text: str, outcome: str = TRUNCATED) -> dict[str, Any]:
    """A stream that is cut after some text."""
    return {"text": text, "complete": False, "outcomes": (outcome,)}


def error(status: int, message: Any = "no", headers: Mapping[str, str] | None = None) -> Behaviour:
    """An error answer in OpenAI's form."""
    return reply(status, json.dumps({"error": {"message": message}}).encode(), headers)


def plain(body: bytes, content_type: str, status: int = 200) -> Behaviour:
    """An answer that is no stream."""
    return reply(status, body, {"content-type": content_type})


COMPLETION = json.dumps({"choices": [{"index": 0, "message": {"content": "whole"}, "finish_reason": "stop"}]}).encode()
EMOJI = "\N{PARTY POPPER}\u20ac\u00e9"
LINE_ENDS = {"crlf": b"\r\n", "cr": b"\r", "lf": b"\n"}
HALF = "502 The upstream ended the stream before it was complete."
BIG = "502 The upstream sent an event that is too large."
ZIPPED = "502 The upstream sent a malformed response."

CASES: dict[str, Case] = {
    "connection refused": Case(row=1, base_url="http://127.0.0.1:{closed}", **told(500, REFUSED, tries=3)),
    "guard refuses": Case(row=1, base_url="http://169.254.169.254/v1", **told(500, REFUSED, tries=3)),
    "no such host": Case(row=2, base_url="http://nowhere.test/v1", **told(500, REFUSED, tries=3)),
    "name server hangs": Case(row=3, base_url="http://hang.test/v1", **told(500, REFUSED)),
    "connect blackhole": Case(row=4, base_url="http://127.0.0.1:{full}/v1", **told(500, REFUSED)),
    "plain HTTP behind https": Case(row=5, base_url="https://127.0.0.1:{plain}/v1", **told(500, REFUSED, tries=3)),
    "self-signed": Case(row=5, base_url="https://127.0.0.1:{self_signed}/v1", **told(500, REFUSED, tries=3)),
    "no head in time": Case(row=6, play=(faults.stall_before_head(),), **told(500, TIMED_OUT)),
    "no event in time": Case(row=6, play=(faults.stall_before_first_event(),), **told(500, TIMED_OUT)),
    "comments do not extend": Case(row=6, play=(stream(*[b": ping\n\n"] * 200, pause=0.05),), **told(500, TIMED_OUT)),
    "429 without a word": Case(row=7, play=(error(429, "slow"),), kept=True, **told(429, "429 slow", tries=3)),
    "429 for long": Case(
        row=7,
        play=(error(429, "slow", {"retry-after": "60"}),),
        retry_after="60",
        kept=True,
        **told(429, "429 slow"),
    ),
    "429 then well": Case(
        row=7,
        play=(error(429, "slow", {"retry-after": "0"}), stream(TEXT, STOP, DONE)),
        text="part",
        outcomes=(ERROR, "ok"),
        kept=True,
    ),
    **{
        f"{status}": Case(row=8, play=(error(status),), kept=True, **told(status, f"{status} no", tries=3))
        for status in (500, 502, 503, 504, 520, 529, 599)
    },
    "401": Case(
        row=9,
        play=(error(401, f"Incorrect API key provided: {KEY}"),),
        kept=True,
        **told(401, "Custom API Key is incorrect. Please fix it in your profile settings."),
    ),
    "403 quotes the key": Case(
        row=9, play=(error(403, f"who is {KEY} and {HEADER}?"),), kept=True, **told(403, "403 who is *** and ***?")
    ),
    "403 quotes the key in raw text": Case(
        row=9, play=(plain(f"no {KEY}".encode(), "text/plain", 403),), kept=True, **told(403, "403 no ***")
    ),
    **{
        f"{status}": Case(row=10, play=(error(status),), kept=True, **told(status, f"{status} no"))
        for status in (400, 404, 405, 413, 422, 451)
    },
    "4xx quotes a key": Case(
        row=10, play=(error(400, "bad sk-abcdefgh12345678"),), kept=True, **told(400, "400 bad sk-***")
    ),
    **{
        f"{status} redirect": Case(
            row=11,
            play=(reply(status, headers={"location": "http://127.0.0.1:{canary}/", "content-length": "0"}),),
            kept=True,
            **told(500, REFUSED),
        )
        for status in (301, 302, 303, 307, 308)
    },
    "error JSON with a status": Case(
        row=12,
        play=(plain(b'{"error":{"message":"busy","code":404}}', "application/json"),),
        kept=True,
        **told(404, "404 busy"),
    ),
    "error JSON": Case(
        row=12,
        play=(plain(b'{"error":{"message":"busy"}}', "application/json"),),
        kept=True,
        **told(502, "502 busy", tries=3),
    ),
    "completion JSON": Case(row=12, play=(plain(COMPLETION, "application/json"),), text="whole", kept=True),
    "completion JSON called a stream": Case(
        row=12, play=(plain(COMPLETION, "text/event-stream"),), text="whole", kept=True
    ),
    "stream called JSON": Case(row=12, play=(plain(TEXT + STOP + DONE, "application/json"),), text="part", kept=True),
    "error event first": Case(
        row=13, play=(stream(b'data: {"error":{"message":"full","code":503}}\n\n'),), **told(503, "503 full", tries=3)
    ),
    "error event first, then well": Case(
        row=13,
        play=(stream(b'data: {"error":{"message":"full","code":503}}\n\n'), stream(TEXT, STOP, DONE)),
        text="part",
        outcomes=(ERROR, "ok"),
        kept=True,
    ),
    "error event later": Case(
        row=14, play=(stream(TEXT, b'data: {"error":{"message":"x"}}\n\n', DONE),), **cut("part", ERROR)
    ),
    "named error event": Case(
        row=14,
        play=(stream(TEXT, b'event: error\ndata: {"error":{}}\n\n', MORE, STOP, DONE),),
        text="partial",
        kept=True,
    ),
    "reset before the head": Case(row=15, play=(faults.reset_before_head(),), **told(500, REFUSED, tries=3)),
    "reset": Case(row=15, play=(faults.reset_midstream("part"),), **cut("part")),
    "close": Case(row=15, play=(faults.close_midstream("part"),), **cut("part")),
    "close in a chunk": Case(row=15, play=(faults.close_mid_chunk("part"),), **cut("part")),
    "close without a length": Case(
        row=15,
        play=(Behaviour(headers=(*SSE, ("content-length", "9999")), writes=(TEXT,), ending=Ending.CLOSE),),
        **cut("part"),
    ),
    "malformed event later": Case(row=16, play=(stream(TEXT, b"data: {nonsense\n\n", DONE),), **cut("part", ERROR)),
    "event that is no object": Case(row=16, play=(stream(TEXT, b"data: 7\n\n", DONE),), **cut("part", ERROR)),
    "invalid UTF-8": Case(
        row=17,
        play=(stream(b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\n', STOP, DONE),),
        text="a\ufffdb",
        kept=True,
    ),
    "lone surrogate": Case(
        row=17,
        play=(stream(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', STOP, DONE),),
        text="a\ufffd",
        kept=True,
    ),
    "one byte a write": Case(row=18, play=(faults.drip(EMOJI, EMOJI),), text=EMOJI * 2, kept=True),
    **{
        f"line ends {name}": Case(
            row=19, play=(stream((TEXT + MORE + STOP + DONE).replace(b"\n", end)),), text="partial", kept=True
        )
        for name, end in LINE_ENDS.items()
    },
    "BOM, comments, fields": Case(
        row=19,
        play=(stream(b"\xef\xbb\xbf: hi\n\nid: 1\nretry: 5\n" + TEXT.replace(b"data: ", b"data:"), STOP, DONE),),
        text="part",
        kept=True,
    ),
    "event over several lines": Case(
        row=19,
        play=(stream(b'data: {"choices":[{"delta":\ndata: {"content":"part"}}]}\n\n', STOP, DONE),),
        text="part",
        kept=True,
    ),
    "endless line first": Case(row=20, play=(faults.endless_line(),), **told(502, BIG, tries=3)),
    "endless line later": Case(
        row=20,
        play=(stream(TEXT, b"data: ", *[b"x" * 65536] * 64, pause=0.0, ending=Ending.HOLD),),
        **cut("part", ERROR),
    ),
    "gzip": Case(
        row=21,
        play=(Behaviour(headers=ZIP, writes=(b"\x1f\x8b" + bytes(1000),), chunked=True, ending=Ending.HOLD),),
        **told(502, ZIPPED, tries=3),
    ),
    "reset after the finish": Case(row=22, play=(stream(TEXT, STOP, ending=Ending.RESET),), text="part"),
    "close after the finish": Case(row=22, play=(stream(TEXT, STOP, ending=Ending.CLOSE),), text="part"),
    "end after the finish": Case(row=22, play=(stream(TEXT, STOP),), text="part", kept=True),
    "end without a finish": Case(row=23, play=(faults.end_without_finish("part"),), kept=True, **cut("part")),
    "empty stream": Case(row=23, play=(stream(b": hi\n\n"),), kept=True, **told(502, HALF, tries=3, outcome=TRUNCATED)),
    "204": Case(row=23, play=(reply(204),), kept=True, **told(502, HALF, tries=3, outcome=TRUNCATED)),
    "held after DONE": Case(row=24, play=(stream(TEXT, STOP, DONE, ending=Ending.HOLD),), text="part"),
    "silence": Case(row=25, play=(faults.stall_midstream("part"),), **cut("part", ERROR)),
    "no HTTP": Case(
        row=15, play=(Behaviour(status=None, writes=(b"nonsense\r\n\r\n",)),), **told(500, REFUSED, tries=3)
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "sdk"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedUpstream())
        ports = await stack.enter_async_context(broken_ports(folder))
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1", "hang.test", "nowhere.test"]',
            "GATEWAY_PLUGINS__OPENAI__LANE": request.param,
            "GATEWAY_PLUGINS__PROBE__RECORDS": str(folder / "records.jsonl"),
            "GATEWAY_LOG_LEVEL": "debug",
        }
        models = []
        for name, case in CASES.items():
            base = upstream.play(script(name), *(_placed(behaviour, ports) for behaviour in case.play))
            models.append(
                NewModel(
                    id=identity(name),
                    name=name,
                    model_id="m",
                    base_url=base if case.base_url is None else case.base_url.format(**ports),
                    api_key=Secret(KEY),
                    headers={"x-canary": HEADER},
                    timeouts=TIMEOUTS,
                )
            )
        models.append(NewModel(id=identity("warm up"), name="warm up", model_id="m", base_url="http://nowhere.test"))
        keys = await seed(folder / "data", environ, models=models, keys={"someone": None})
        arguments = ("--plugin", str(PROBE))
        gateway = RunningGateway(folder / "data", environ=environ, arguments=arguments)
        await stack.enter_async_context(gateway)
        world = World(gateway, upstream, folder / "records.jsonl", keys["someone"])
        await world.ask(identity("warm up"))  # loading the SDK is not what is timed
        yield world


def _placed(behaviour: Behaviour, ports: Mapping[str, int]) -> Behaviour:
    headers = tuple((name, value.replace("{canary}", str(ports["canary"]))) for name, value in behaviour.headers)
    return msgspec.structs.replace(behaviour, headers=headers)


@pytest.mark.parametrize("name", CASES)
async def test_fault(world: World, name: str) -> None:
    case = CASES[name]
    answer = await world.ask(identity(name))
    assert (answer.status, answer.complete) == (case.status, case.complete), answer
    if case.message is None:
        assert answer.body.decode() == case.text
        assert answer.header("content-type") == "text/plain; charset=utf-8"
    else:
        assert answer.json() == {"message": case.message}
        assert answer.header("content-type") == "text/plain;charset=UTF-8"
    assert answer.header("retry-after") == case.retry_after
    records = await world.records(identity(name), len(case.outcomes))
    assert [(record["number"], record["outcome"]) for record in records] == list(enumerate(case.outcomes, 1))
    assert len({record["attempt_id"] for record in records}) == len(records)
    if case.play:
        seen = world.upstream.seen(script(name))
        assert len(seen) == len(case.outcomes)
        if not case.kept:
            async with asyncio.timeout(HANG):
                for one in seen:
                    await one.closed()


async def test_a_held_model_is_not_asked_again(world: World) -> None:
    await world.ask(identity("429 for long"))
    before = len(world.upstream.seen(script("429 for long")))
    for answer in await asyncio.gather(*(world.ask(identity("429 for long")) for _ in range(50))):
        assert answer.status == 429
        assert 0 < int(answer.header("retry-after") or 0) <= 60
    assert len(world.upstream.seen(script("429 for long"))) == before


async def test_nothing_is_left_behind(world: World) -> None:
    """Asks everything once more, all at once: the second time may not need more than the first."""
    first = await world.probe()
    names = [name for name in CASES if "hang" not in name]
    await asyncio.gather(*(world.ask(identity(name)) for name in names))
    async with asyncio.timeout(HANG):
        while True:
            now = await world.probe()
            open_upstream = len(world.upstream.open_connections)
            if now["tasks"] <= first["tasks"] and now["descriptors"] - open_upstream <= first["descriptors"]:
                break
            await asyncio.sleep(0.1)


async def test_no_secret_came_out(world: World) -> None:
    log = world.gateway.log
    assert "exchange" in log
    assert "Traceback" not in log
    everything = [*world.seen, log.encode()]
    written = {KEY, json.dumps(KEY)[1:-1], HEADER, world.key}
    assert [secret for secret in written for data in everything if secret.encode() in data] == []
