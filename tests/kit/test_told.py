"""What a client was told is read rightly: above all, an answer that only seems to be complete is called so."""

import pytest

from gateway.testing.client import RawResponse
from gateway.testing.told import Ending, told

TEXT = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"m","type":"t","code":"c","param":null}}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'
STOPPED = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
OVER = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
FAILED = b'data: {"type":"error","error":{"type":"api_error","message":"m","details":{"error_code":"c"}}}\n\n'
SAID = b'data: {"type":"response.output_text.delta","delta":"a"}\n\n'
COMPLETED = b'data: {"type":"response.completed","response":{}}\n\n'
BROKEN = b'data: {"type":"response.failed","response":{"error":{"code":"c"}}}\n\n'


def response(body: bytes, *, status: int = 200, complete: bool = True, kind: str = "text/event-stream") -> RawResponse:
    return RawResponse(status=status, headers=[("content-type", kind)], chunks=[(0.0, body)], complete=complete)


@pytest.mark.parametrize(
    ("surface", "body", "ending"),
    [
        ("chat", TEXT + STOP + DONE, Ending.PROPER),
        ("chat", TEXT + ERROR + DONE, Ending.ERROR),
        ("chat", TEXT + DONE, Ending.PRETENDED),
        ("chat", TEXT + STOP, Ending.PRETENDED),
        ("chat", TEXT + ERROR, Ending.PRETENDED),
        ("chat", b"", Ending.PRETENDED),
        ("chat", TEXT + b'data: {"x":"\xff"}\n\n' + STOP + DONE, Ending.PRETENDED),
        ("chat", TEXT + b"data: {oops\n\n" + STOP + DONE, Ending.PRETENDED),
        ("messages", DELTA + STOPPED + OVER, Ending.PROPER),
        ("messages", DELTA + OVER, Ending.PRETENDED),
        ("messages", DELTA, Ending.PRETENDED),
        ("messages", DELTA + FAILED, Ending.ERROR),
        ("responses", SAID + COMPLETED, Ending.PROPER),
        ("responses", SAID, Ending.PRETENDED),
        ("responses", SAID + BROKEN, Ending.ERROR),
    ],
)
def test_a_stream(surface, body, ending):
    heard = told(surface, response(body))
    assert heard.ending is ending
    assert bool(heard.flaw) is (ending is Ending.PRETENDED)
    assert heard.code == ("c" if ending is Ending.ERROR else "")


@pytest.mark.parametrize("surface", ["custom", "chat", "messages", "responses"])
def test_a_body_that_was_not_ended_is_cut(surface):
    assert told(surface, response(b"", complete=False)).ending is Ending.CUT


def test_a_refusal_has_the_envelope():
    whole = b'{"error":{"message":"m","type":"t","code":"c","param":null}}'
    heard = told("chat", response(whole, status=502, kind="application/json"))
    assert (heard.ending, heard.status, heard.code) == (Ending.REFUSED, 502, "c")
    assert told("chat", response(b'{"error":{"message":"m"}}', status=502)).flaw
    assert told("chat", response(b"<html>", status=502)).flaw


def test_a_whole_answer_without_finish_reason_is_none():
    whole = b'{"choices":[{"message":{"content":"a"},"finish_reason":null}]}'
    assert told("chat", response(whole, kind="application/json")).ending is Ending.PRETENDED
