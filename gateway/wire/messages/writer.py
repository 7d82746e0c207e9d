"""Writes events as Anthropic's messages: the events of a stream, or one whole message."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.events import (
    Answer,
    Citation,
    End,
    Event,
    Failure,
    Finish,
    Opaque,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.parts import PartNumbers
from gateway.prompt import TextPart, ToolCallPart
from gateway.wire.json import decode_value, encode_value
from gateway.wire.marks import marked
from gateway.wire.messages.contents import Json, blocks, cited, stop, tokens
from gateway.wire.messages.errors import failure_envelope
from gateway.wire.messages.foreign import ForeignBlocks, began_with
from gateway.wire.messages.patching import patched_content

_encode: Final = msgspec.json.encode
_NO_PART: Final = -1
"""Of a block that stands for no part of the answer."""
_OF_A_CHOICE: Final = (Text, Reasoning, Refusal, ToolCall, Citation, Finish)
_TEXT: Final = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}\n\n'
)
"""Written without a detour: nearly all that is written is this."""


class MessagesWriter:
    """Writes one attempt's answer; `upstream` is the dialect whose own words pass as they are when it is messages.

    Text and thinking end where another part begins, calls only with the answer: upstreams may tell several at once.
    """

    __slots__ = (
        "_begun",
        "_called",
        "_calls",
        "_finish",
        "_foreign",
        "_id",
        "_model",
        "_next",
        "_numbers",
        "_open",
        "_own",
        "_refused",
        "_signed",
        "_upstream",
        "_usage",
        "dropped",
    )

    end_marker: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    ping: Final = b'event: ping\ndata: {"type":"ping"}\n\n'

    def __init__(self, *, id: str, model: str, upstream: str) -> None:
        self._id, self._model, self._upstream = id, model, upstream
        self._own = upstream == "messages"
        self._begun = False
        self._next = 0
        """The index of the next block."""
        self._numbers = PartNumbers()
        self._open: tuple[int, str, int] | None = None
        """The text or thinking that goes on: its part, its kind, its index."""
        self._signed = False
        """Whether the open thinking has its signature."""
        self._calls: dict[int, int] = {}
        """The index of each open call, by part."""
        self._called = self._refused = False
        self._foreign = ForeignBlocks()
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self.dropped: dict[str, int] = {}
        """Events that messages have no place for, by kind."""

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes of these events; a proper end is the last event, `End`."""
        for event in events:  # what is known before the first content goes out with `message_start`
            kind = type(event)
            if kind is Usage:
                self._usage = event  # type: ignore[assignment]
            elif kind is Start:
                self._name(event)  # type: ignore[arg-type]
        return b"".join([self._write(event) for event in events])

    def failure(self, failure: Failure) -> bytes:
        """The visible end of a broken stream: an error event, which the SDKs raise."""
        return b"event: error\ndata: " + failure_envelope(failure, own=self._own) + b"\n\n"

    def answer(self, answer: Answer) -> bytes:
        """The whole message."""
        collected = answer.collected
        assert collected is not None
        parts = collected.parts(maker=self._upstream)
        citations = collected.citations.get(0, ())
        content = [
            said
            for number, part in parts.items()
            for said in blocks(part, [c for c in citations if c.part == number], self._upstream)
        ]
        refused = any(isinstance(part, TextPart) and part.refusal for part in parts.values())
        called = any(isinstance(part, ToolCallPart) for part in parts.values())
        self._id, self._model = answer.name or self._id, answer.model or self._model
        whole = {
            **self._message(answer.usage),
            "content": content,
            **stop(answer.finished.get(0), own=self._own, refused=refused, called=called),
        }
        return bytes(encode_value(whole))

    def patch_answer(self, body: bytes, answer: Answer) -> bytes:
        """An upstream's message with what the answer says now in it; blocks without words of ours stay."""
        collected = answer.collected
        assert collected is not None
        message = dict(decode_value(body))
        parts = collected.parts(maker=self._upstream)
        message["content"] = patched_content(message.get("content") or [], parts, self._upstream)
        finish = answer.finished.get(0)
        if finish is not None and finish.native != message.get("stop_reason"):
            message |= stop(finish, own=self._own, refused=False, called=False)
        return bytes(encode_value(message))

    def _name(self, event: Start) -> None:
        self._id, self._model = event.id or self._id, event.model or self._model

    def _write(self, event: Event) -> bytes:
        if isinstance(event, _OF_A_CHOICE) and event.choice != 0:
            return self._drop("choice")
        if isinstance(event, Text):
            return self._say(event)
        if isinstance(event, Refusal):
            self._refused = True
            return self._say(event)
        if isinstance(event, Reasoning):
            return self._think(event)
        if isinstance(event, ToolCall):
            return self._call(event)
        if isinstance(event, Citation):
            return self._cite(event)
        if isinstance(event, Finish):
            self._finish = event
            return self._begin() + self._close_all()
        if isinstance(event, End):
            return self._end()
        if isinstance(event, Opaque) and self._own and event.source is not None:
            return self._pass(event)
        return b""

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("message_start", {"message": self._message(self._usage)})

    def _message(self, usage: Usage | None) -> Json:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": tokens(usage, own=self._own),
        }

    def _end(self) -> bytes:
        out = self._begin() + self._close_all()
        delta = stop(self._finish, own=self._own, refused=self._refused, called=self._called)
        if self._own and self._finish is not None:
            delta = {**began_with(self._finish.source, "delta"), **delta}
        out += _event("message_delta", {"delta": delta, "usage": tokens(self._usage, own=self._own)})
        return out + self.end_marker

    def _say(self, event: Text | Refusal) -> bytes:
        out, index = self._opened(self._numbers.number(event), "text")
        return out + _TEXT % (index, _encode(event.text))

    def _opened(self, part: int, kind: str) -> tuple[bytes, int]:
        """The index of the block of that part, and what has to be written before it goes on."""
        if self._open is not None and self._open[:2] == (part, kind):
            return b"", self._open[2]
        out, index = self._begin() + self._close(), self._take()
        self._open, self._signed = (part, kind, index), False
        start = {"type": "text", "text": ""} if kind == "text" else {"type": kind, "thinking": "", "signature": ""}
        return out + _event("content_block_start", {"index": index, "content_block": start}), index

    def _think(self, event: Reasoning) -> bytes:
        if event.redacted is not None:
            self._numbers.number(event)
            out, index = self._begin() + self._close(), self._take()
            start = {"type": "redacted_thinking", "data": marked(event.redacted, self._upstream, "messages")}
            return out + _event("content_block_start", {"index": index, "content_block": start}) + _stop(index)
        delta = {"type": "thinking_delta", "thinking": event.text}
        out, index = self._opened(self._numbers.number(event), "thinking")
        if event.text:
            out += _delta(index, delta)
        if event.signature is not None:
            self._signed = True
            signature = marked(event.signature, self._upstream, "messages")
            out += _delta(index, {"type": "signature_delta", "signature": signature})
        return out

    def _call(self, event: ToolCall) -> bytes:
        if event.kind == "custom":
            return self._drop("custom")
        part, out = self._numbers.number(event), b""
        if part not in self._calls:
            self._called = True
            out = self._prove(event.signature) + self._begin() + self._close()
            index = self._take()
            self._calls[part] = index
            id = event.id or f"toolu_{self._id}_{index}"
            start = {"type": "tool_use", "id": id, "name": event.name or "", "input": {}}
            if self._own:
                start = {**began_with(event.source, "content_block"), **start}
            out += _event("content_block_start", {"index": index, "content_block": start})
        if event.arguments:
            delta = {"type": "input_json_delta", "partial_json": event.arguments}
            out += _delta(self._calls[part], delta)
        return out

    def _prove(self, signature: str | None) -> bytes:
        """A call has no place for a signature: it is that of the thinking before, which may have no words."""
        if signature is None:
            return b""
        if self._open is None or self._open[1] != "thinking" or self._signed:
            out, index = self._opened(_NO_PART, "thinking")
        else:
            out, index = b"", self._open[2]
        self._signed = True
        return out + _delta(
            index, {"type": "signature_delta", "signature": marked(signature, self._upstream, "messages")}
        )

    def _cite(self, event: Citation) -> bytes:
        part, shape = self._numbers.number(event), cited(event)
        goes_on = self._open is not None and self._open[:2] == (part, "text")
        if shape is None or not (goes_on or self._own):  # a block without text is refused when it is sent back
            return self._drop("citation")
        out, index = self._opened(part, "text")
        return out + _delta(index, {"type": "citations_delta", "citation": shape})

    def _pass(self, event: Opaque) -> bytes:
        """A frame of an upstream of this dialect that says nothing neutral, in its place."""
        if event.kind == "content_block_stop":
            part = began_with(event.source, None).get("index")
            index = self._calls.pop(part, None) if isinstance(part, int) else None
            return b"" if index is None else _stop(index)
        renumbered = self._foreign.renumbered(event, self._next)
        if renumbered is None:
            return b""
        out, index = renumbered
        if index == self._next:
            self._next += 1
            return self._begin() + self._close() + out
        return out if self._begun else b""

    def _close_all(self) -> bytes:
        calls, self._calls = self._calls, {}
        return self._close() + b"".join([_stop(index) for index in calls.values()])

    def _close(self) -> bytes:
        """The end of the text or the thinking that goes on; thinking that others made is marked as theirs."""
        if self._open is None:
            return b""
        (_, kind, index), self._open = self._open, None
        if kind == "thinking" and not self._signed and not self._own:
            signature = marked(None, self._upstream, "messages")
            return _delta(index, {"type": "signature_delta", "signature": signature}) + _stop(index)
        return _stop(index)

    def _take(self) -> int:
        self._next += 1
        return self._next - 1

    def _drop(self, kind: str) -> bytes:
        self.dropped[kind] = self.dropped.get(kind, 0) + 1
        return b""


def _event(name: str, said: Json) -> bytes:
    head = f"event: {name}\ndata: ".encode()
    return head + bytes(encode_value({"type": name, **said})) + b"\n\n"


def _delta(index: int, delta: Any) -> bytes:
    said = {"type": "content_block_delta", "index": index, "delta": delta}
    try:
        return b"event: content_block_delta\ndata: " + _encode(said) + b"\n\n"
    except UnicodeEncodeError:  # a citation's own shape may hold lone surrogates
        return b"event: content_block_delta\ndata: " + bytes(encode_value(said)) + b"\n\n"


def _stop(index: int) -> bytes:
    return _event("content_block_stop", {"index": index})
