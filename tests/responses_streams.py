"""Streams as OpenAI's documentation shows them, and what each one says."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.events import Answer, Cause, End, Event, Failure
from gateway.parts import Collected
from gateway.protocols import UpstreamDialect
from gateway.wire.responses import RESPONSES

ID: Final = "resp_67c9"
USAGE: Final = {
    "input_tokens": 37,
    "input_tokens_details": {"cached_tokens": 12},
    "output_tokens": 11,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 48,
}


def response(status: str = "in_progress", output: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    """The object that a response is; some of what it says is unknown to the gateway."""
    said = {"id": ID, "object": "response", "created_at": 1741290958, "status": status, "model": "gpt-5.1"}
    said |= {"error": None, "incomplete_details": None, "output": list(output), "safety": {"a": 1}, "usage": None}
    return {**said, **more}


class Script:
    """Numbers the events of one stream, and remembers its items."""

    def __init__(self) -> None:
        self.output: list[dict[str, Any]] = []
        self.status = "completed"
        self._number = 0

    def event(self, name: str, **said: Any) -> bytes:
        """One event."""
        said = {"type": name, **said, "sequence_number": self._number}
        self._number += 1
        return f"event: {name}\ndata: {json.dumps(said, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()

    def begin(self) -> list[bytes]:
        """The events that begin a response."""
        return [self.event(f"response.{name}", response=response()) for name in ("created", "in_progress")]

    def item(self, begun: dict[str, Any], whole: dict[str, Any], *inner: tuple[str, dict[str, Any]]) -> list[bytes]:
        """One item."""
        place = {"item_id": begun["id"], "output_index": len(self.output)}
        out = [self.event("response.output_item.added", output_index=len(self.output), item=begun)]
        out += [self.event(f"response.{name}", **place, **said) for name, said in inner]
        out += [self.event("response.output_item.done", output_index=len(self.output), item=whole)]
        self.output.append(whole)
        return out

    def message(self, *pieces: str, kind: str = "output_text", annotations: Sequence[Any] = ()) -> list[bytes]:
        """A message of one content."""
        word = "text" if kind == "output_text" else "refusal"
        more = {"annotations": list(annotations), "logprobs": []} if word == "text" else {}
        part = {"type": kind, word: "".join(pieces), **more}
        empty = {**part, word: "", **({"annotations": []} if word == "text" else {})}
        place, told = {"content_index": 0}, {"logprobs": []} if word == "text" else {}
        inner: list[tuple[str, dict[str, Any]]] = [("content_part.added", {**place, "part": empty})]
        inner += [(f"{kind}.delta", {**place, "delta": piece, **told}) for piece in pieces]
        inner += [
            ("output_text.annotation.added", {**place, "annotation_index": i, "annotation": said})
            for i, said in enumerate(annotations)
        ]
        inner += [
            (f"{kind}.done", {**place, word: "".join(pieces), **told}),
            ("content_part.done", {**place, "part": part}),
        ]
        begun = {"id": f"msg_{len(self.output)}", "type": "message", "status": "in_progress", "role": "assistant"}
        return self.item({**begun, "content": []}, {**begun, "status": self.status, "content": [part]}, *inner)

    def thinking(self, *parts: Sequence[str], proof: str | None = None) -> list[bytes]:
        """A reasoning item with the parts of its summary."""
        inner: list[tuple[str, dict[str, Any]]] = []
        summary = [{"type": "summary_text", "text": "".join(pieces)} for pieces in parts]
        for index, pieces in enumerate(parts):
            place = {"summary_index": index}
            inner.append(("reasoning_summary_part.added", {**place, "part": {"type": "summary_text", "text": ""}}))
            inner += [("reasoning_summary_text.delta", {**place, "delta": piece}) for piece in pieces]
            inner.append(("reasoning_summary_text.done", {**place, "text": "".join(pieces)}))
            inner.append(("reasoning_summary_part.done", {**place, "part": summary[index]}))
        begun = {"id": f"rs_{len(self.output)}", "type": "reasoning", "summary": []}
        signed = {"encrypted_content": proof} if proof is not None else {}
        return self.item(begun, {**begun, "summary": summary, **signed}, *inner)

    def call(self, id: str, name: str, *pieces: str, kind: str = "function_call") -> list[bytes]:
        """A call of a tool."""
        word = "arguments" if kind == "function_call" else "input"
        deltas = f"{kind}_{word}"
        inner = [(f"{deltas}.delta", {"delta": piece}) for piece in pieces]
        inner.append((f"{deltas}.done", {word: "".join(pieces)}))
        begun = {"id": f"fc_{len(self.output)}", "type": kind, "status": "in_progress", "call_id": id, "name": name}
        return self.item({**begun, word: ""}, {**begun, "status": "completed", word: "".join(pieces)}, *inner)

    def search(self) -> list[bytes]:
        """What the upstream's own tool did."""
        begun = {"id": f"ws_{len(self.output)}", "type": "web_search_call", "status": "in_progress"}
        done = {**begun, "status": "completed", "action": {"type": "search", "query": "weather"}}
        return self.item(begun, done, ("web_search_call.searching", {}), ("web_search_call.completed", {}))

    def end(self, status: str = "completed", **more: Any) -> list[bytes]:
        """The event that ends the response."""
        return [self.event(f"response.{status}", response=response(status, self.output, usage=USAGE, **more))]


def _text() -> list[bytes]:
    script = Script()
    return [*script.begin(), *script.message("Hello", ", café ", "\U0001f389!"), *script.end()]


def _thinking() -> list[bytes]:
    script = Script()
    return [
        *script.begin(),
        *script.thinking(("**Adding", "** 27"), ("and 453.",), proof="gAAAAABo"),
        *script.thinking(proof="gAAAAABx"),
        *script.message("It is ", "480."),
        *script.end(),
    ]


def _parallel_tools() -> list[bytes]:
    script = Script()
    return [
        *script.begin(),
        *script.message("I will look."),
        *script.call("call_a", "get_weather", '{"ci', 'ty": "S', 'ão Paulo"}'),
        *script.call("call_b", "get_time", '{"zone": 1.50}'),
        *script.end(),
    ]


def _everything() -> list[bytes]:
    script = Script()
    return [
        *script.begin(),
        *script.thinking(("Hm", "."), proof="gAAAAABo"),
        *script.message("I ", "l🎉k."),
        *script.call("call_a", "f", '{"ci', 'ty": "ã"}'),
        *script.call("call_b", "g", "{}"),
        *script.end(),
    ]


def _custom_tool() -> list[bytes]:
    script = Script()
    return [
        *script.begin(),
        *script.call("call_c", "shell", "ls ", "-l", kind="custom_tool_call"),
        *script.end(),
    ]


FOUND: Final = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}


def _search() -> list[bytes]:
    script = Script()
    return [*script.begin(), *script.search(), *script.message("Sunny", ".", annotations=[FOUND]), *script.end()]


def _refusal() -> list[bytes]:
    script = Script()
    return [*script.begin(), *script.message("I can", "not.", kind="refusal"), *script.end()]


def _incomplete() -> list[bytes]:
    script = Script()
    details = {"reason": "max_output_tokens"}
    script.status = "incomplete"
    return [*script.begin(), *script.message("one two"), *script.end("incomplete", incomplete_details=details)]


STREAMS: Final[dict[str, list[bytes]]] = {
    "text": _text(),
    "thinking": _thinking(),
    "parallel_tools": _parallel_tools(),
    "everything": _everything(),
    "custom_tool": _custom_tool(),
    "search": _search(),
    "refusal": _refusal(),
    "incomplete": _incomplete(),
}


def read(data: bytes, dialect: UpstreamDialect = RESPONSES) -> list[Event]:
    """The events of a stream."""
    framing, reader = dialect.framing(), dialect.reader()
    return [event for frame in (*framing.feed(data), *framing.end()) for event in reader.read(frame)]


def answered(events: Iterable[Event], dialect: str = "responses") -> Answer:
    """What these events say, as far as the one that ends the answer."""
    answer, whole = Answer(dialect=dialect), Collected()
    for said in events:
        answer.note(said)
        whole.note(said)
        if isinstance(said, End | Failure):
            break
    answer.collected = whole
    return answer


def verdict(events: Iterable[Event]) -> End | Failure:
    """How the answer ended, if no more came."""
    return answered(events).verdict(Cause.EOF)
