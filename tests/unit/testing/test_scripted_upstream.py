"""The scripted upstream and the raw client, one against the other over real sockets."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from gateway.testing import faults
from gateway.testing.client import RawClient
from gateway.testing.upstream import Behaviour, ScriptedUpstream, chat_events, from_transcript, reply, stream

PATH = "/case/v1/chat/completions"


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def client(upstream) -> RawClient:
    return RawClient(upstream.host, upstream.port)


async def test_a_plain_reply_comes_as_scripted(upstream, client):
    upstream.play("case", reply(418, b'{"a":1}', {"x-tea": "green"}))
    response = await client.request("POST", PATH, body=b"{}")
    assert (response.status, response.header("x-tea"), response.json()) == (418, "green", {"a": 1})
    assert response.complete


async def test_a_204_declares_no_body(upstream, client):
    upstream.play("case", reply(204))
    response = await client.request("POST", PATH, body=b"{}")
    assert (response.status, response.header("content-length"), response.body) == (204, None, b"")


async def test_each_element_of_a_stream_is_a_write_of_its_own(upstream, client):
    upstream.play("case", stream(b"data: a\n\n", b"data: b\n\n"))
    response = await client.request("POST", PATH, body=b"{}")
    assert [data for _, data in response.chunks] == [b"data: a\n\n", b"data: b\n\n"]
    assert response.header("content-type") == "text/event-stream"
    assert response.complete


async def test_attempts_play_the_script_in_order_and_the_last_entry_repeats(upstream, client):
    upstream.play("case", reply(500), reply(503))
    assert [(await client.request("POST", PATH)).status for _ in range(3)] == [500, 503, 503]


async def test_requests_are_remembered_as_they_came(upstream, client):
    upstream.play("case", reply(200, b"{}"))
    await client.request("POST", f"{PATH}?a=%20", headers=[("Authorization", "Bearer k")], body=b'{"model":"m"}')
    [seen] = upstream.seen("case")
    assert (seen.request.method, seen.request.target) == ("POST", f"{PATH}?a=%20")
    assert seen.request.header("authorization") == "Bearer k"
    assert seen.request.json() == {"model": "m"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.reset_midstream("par", "tial"), ["par", "tial"]),
        (faults.close_midstream("par"), ["par"]),
        (faults.close_mid_chunk("par"), ["par"]),
        (faults.reset_before_head(), None),
    ],
)
async def test_a_cut_answer_is_seen_as_cut(upstream, client, fault, said):
    upstream.play("case", fault)
    response = await client.request("POST", PATH, body=b"{}")
    assert (response.complete, bool(response.error)) == (False, True)
    expected = b"" if said is None else b"".join(chat_events(*said, finish=None))
    assert response.body == expected


async def test_an_end_without_finish_reason_is_a_proper_http_message(upstream, client):
    upstream.play("case", faults.end_without_finish("par"))
    response = await client.request("POST", PATH, body=b"{}")
    assert (response.complete, b"[DONE]" in response.body) == (True, False)


async def test_a_drip_sends_every_byte_alone(upstream, client):
    upstream.play("case", faults.drip("hi"))
    response = await client.request("POST", PATH, body=b"{}")
    assert {len(data) for _, data in response.chunks} == {1}
    assert response.body == b"".join(chat_events("hi"))


@pytest.mark.parametrize(
    ("fault", "head_comes"),
    [
        (faults.stall_before_head(), False),
        (faults.stall_before_first_event(), True),
        (faults.stall_midstream("par"), True),
        (faults.endless_line(256 * 1024), True),
    ],
)
async def test_a_stall_lasts_until_the_client_leaves(upstream, client, fault, head_comes):
    upstream.play("case", fault)
    exchange = await client.send("POST", PATH, body=b"{}")
    if head_comes:
        assert (await exchange.head()).status == 200
    seen = await upstream.wait_for("case")
    assert seen.closed_at is None
    await exchange.leave()
    async with asyncio.timeout(10):
        assert await seen.closed() == seen.closed_at


async def test_it_counts_the_writes_a_leaving_client_got(upstream, client):
    upstream.play("case", stream(*(b"data: x\n\n" for _ in range(200)), pause=0.02))
    exchange = await client.send("POST", PATH, body=b"{}")
    await exchange.head()
    await exchange.chunk()
    await exchange.leave()
    async with asyncio.timeout(10):
        await (await upstream.wait_for("case")).closed()
        while upstream.open_connections:
            await asyncio.sleep(0.01)
    [seen] = upstream.seen("case")
    assert seen.left_after_writes is not None
    assert 1 <= seen.left_after_writes < 200


def test_recorded_behaviours_become_one_behaviour_for_each_attempt():
    raw = b"data: \xf0\x9f"
    recorded = [
        {"status": 500, "headers": {"content-type": "application/json"}, "body": "{}"},
        {"sse": ["data: é\n\n", {"b64": b64encode(raw).decode()}], "end": "destroy"},
        {"destroyAtOnce": True},
    ]
    plain, events, nothing = from_transcript(recorded)
    assert plain == reply(500, b"{}", {"content-type": "application/json"})
    assert (events.writes, events.ending) == (("data: é\n\n".encode(), raw), "reset")
    assert nothing == faults.reset_before_head()
    assert from_transcript(None) == ()


async def test_an_unscripted_name_is_answered_404_and_remembered(upstream, client):
    assert (await client.request("GET", "/other/v1/models")).status == 404
    assert len(upstream.seen("other")) == 1


async def test_a_behaviour_may_end_a_declared_length_early(upstream, client):
    upstream.play("case", Behaviour(writes=(b"half",), headers=(("content-length", "9"),), ending="close"))
    response = await client.request("POST", PATH, body=b"{}")
    assert (response.complete, response.body) == (False, b"half")
