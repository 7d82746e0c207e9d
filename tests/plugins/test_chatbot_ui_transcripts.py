"""Recorded streams become the recorded text, wherever their bytes are split."""

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.domain import Model
from gateway.errors import UpstreamError
from gateway.events import Cause, End, Event, Failure
from gateway.wire.chat import CHAT
from gateway_chatbot_ui.dialect import ChatbotUi

GOLDEN = Path(__file__).parents[1] / "golden"
OURS = {
    # the right text where the original's decoding tore characters apart
    "unicode_split_across_writes_3byte": "né 漢字 🎉 fin",
    "unicode_split_across_writes_4byte": "né 漢字 🎉 fin",
    "unicode_surrogates_split_over_deltas": "a🎉b",
    # a raw U+2028 tore the event apart
    "leading_unicode_whitespace": "\u200bzero\u2028x",
    "line_separators_inside_text": "a\u2028b\u2029c\u0085d",
}
DIALECT = ChatbotUi(not_found="not found")
MODEL = Model(id="1", name="m", model_id="row", base_url="http://upstream/v1")


def streams() -> list[Any]:
    found = []
    for path in sorted(GOLDEN.glob("custom_route*/*.json")):
        case = json.loads(path.read_text("utf-8"))
        answers = case["upstream_behaviour"]
        last = answers[-1] if isinstance(answers, list) else answers
        if (
            last
            and "sse" in last
            and case["response"]["status"] in (200, None)
            and not case["case"].startswith("client")
        ):
            found.append(pytest.param(case, last, id=case["case"]))
    return found


def play(data: bytes, *edges: int, cause: Cause = Cause.EOF) -> tuple[str, End | Failure]:
    """The text a client gets, and how the stream ended."""
    framing, reader = CHAT.framing(lenient=DIALECT.lenient), CHAT.reader(lenient=DIALECT.lenient)
    writer = DIALECT.writer(DIALECT.read_request(b'{"chatSettings":{}}'), CHAT.name)
    out = b""
    seen: list[Event] = []
    for start, stop in itertools.pairwise([0, *edges, len(data)]):
        frames = framing.feed(data[start:stop]) + (framing.end() if stop == len(data) and cause is Cause.EOF else [])
        events = [event for frame in frames for event in reader.read(frame)]
        ends = [n for n, event in enumerate(events) if isinstance(event, End | Failure)]
        batch = events[: ends[0]] if ends else events
        out += writer.write(batch)
        seen += batch
        if ends:
            end = events[ends[0]]
            assert isinstance(end, End | Failure)
            return out.decode(), end
    finished = any(type(event).__name__ == "Finish" for event in seen)
    return out.decode(), End() if finished else Failure(code=cause.value, message=cause.message)


def wire(sse: list[Any]) -> bytes:
    return b"".join(base64.b64decode(p["b64"]) if isinstance(p, dict) else p.encode() for p in sse)


@pytest.mark.parametrize(("case", "upstream"), streams())
def test_the_text_is_the_recorded_one_and_cut_where_the_recorded_one_was(case: Any, upstream: Any) -> None:
    data, recorded = wire(upstream["sse"]), case["response"]
    cause = Cause.RESET if upstream.get("end") == "destroy" else Cause.EOF
    text = OURS.get(case["case"], base64.b64decode(recorded.get("body_base64") or "").decode())
    complete = bool(recorded["complete"]) or case["case"] in OURS
    expected = (text, End if complete and recorded["status"] else Failure)
    for edges in ([], range(1, len(data)), *([at] for at in range(1, len(data), 3))):
        written, end = play(data, *edges, cause=cause)
        assert (written, type(end)) == expected


def test_crlf_and_cr_make_no_difference() -> None:
    for case, upstream in ((p.values[0], p.values[1]) for p in streams()):
        data = wire(upstream["sse"])
        for line_end in (b"\r\n", b"\r"):
            assert play(data.replace(b"\n", line_end))[0] == play(data)[0], case["case"]


def questions() -> list[Any]:
    cases = (json.loads(path.read_text("utf-8")) for path in sorted(GOLDEN.glob("custom_route*/*.json")))
    return [pytest.param(case, id=case["case"]) for case in cases if case["seen_by_upstream"]]


@pytest.mark.parametrize("case", questions())
def test_the_upstream_gets_the_recorded_request(case: Any) -> None:
    asked = case["request"]
    body = asked["body"].encode() if asked["raw"] else json.dumps(asked["body"]).encode()
    sent = CHAT.write_request(DIALECT.read_request(body), MODEL)
    recorded = json.dumps(case["seen_by_upstream"][0]["body"])
    assert json.loads(sent, object_pairs_hook=list) == json.loads(recorded, object_pairs_hook=list)


def failures() -> list[Any]:
    found = []
    for path in sorted(GOLDEN.glob("custom_route*/*.json")):
        case = json.loads(path.read_text("utf-8"))
        upstream, status = case["upstream_behaviour"], case["response"]["status"]
        if isinstance(upstream, dict) and upstream.get("status", 200) >= 400 and status == upstream["status"]:
            found.append(pytest.param(case, id=case["case"]))
    return found


@pytest.mark.parametrize("case", failures())
def test_an_error_answer_is_told_in_the_recorded_bytes(case: Any) -> None:
    upstream, recorded = case["upstream_behaviour"], case["response"]
    body = upstream["body"]
    error = UpstreamError(
        upstream["status"], base64.b64decode(body["b64"]) if isinstance(body, dict) else body.encode()
    )
    status, headers, written = DIALECT.error(error)
    assert (status, written) == (recorded["status"], base64.b64decode(recorded["body_base64"]))
    assert dict(headers)["content-type"] == "text/plain;charset=UTF-8"
