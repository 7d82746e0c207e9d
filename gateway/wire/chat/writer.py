"""Writes events as OpenAI's chat completions: chunks of a stream, or one whole completion."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from gateway.events import (
    Answer,
    Citation,
    End,
    Event,
    Failure,
    Finish,
    FinishReason,
    Frame,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.parts import PartNumbers
from gateway.prompt import ReasoningPart, TextPart, ToolCallPart
from gateway.wire.chat.calls import Calls
from gateway.wire.chat.chunk import index_of
from gateway.wire.chat.proofs import signed
from gateway.wire.chat.reader import ChatReader
from gateway.wire.chat.saying import (
    SAID,
    annotation,
    as_before,
    joined_logprobs,
    patched,
    thought,
    thoughts,
    tokens,
    whole_call,
)
from gateway.wire.envelope import failure_envelope
from gateway.wire.json import decode_value, encode_value

_Json = dict[str, Any]
DONE: Final = b"data: [DONE]\n\n"
WORDS: Final[dict[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "error": "stop",
    "other": "stop",
}
_encode: Final = msgspec.json.encode


class ChatWriter:
    """Writes one attempt's answer.

    `usage` says whether the client asked for the chunk with usage; `upstream` is the dialect whose own words (finish
    reasons, usage) pass as they are when it is chat.
    """

    __slots__ = (
        "_begun",
        "_calls",
        "_head",
        "_named",
        "_numbers",
        "_read",
        "_upstream",
        "_usage",
        "_wants_usage",
        "dropped",
    )

    end_marker: Final = DONE
    ping: Final = b": ping\n\n"

    def __init__(self, *, id: str, model: str, upstream: str, usage: bool) -> None:
        self._head: _Json = {"id": id, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self._upstream = upstream
        self._wants_usage = usage
        self._usage: Usage | None = None
        self._begun: set[int] = set()
        self._numbers = PartNumbers()
        self._calls: dict[tuple[int, int], int] = {}
        """The `index` of each call, by choice and part."""
        self._named: set[tuple[int, int]] = set()
        self._read: Calls | None = None
        """Those of an upstream of this dialect."""
        self.dropped: dict[str, int] = {}
        """Events that chat has no place for, by kind."""

    def follow(self, reader: ChatReader, told: Callable[[str], str]) -> None:
        """Know the ids of the calls that `reader` reads: what is patched does not always say them."""
        self._read = reader.calls

    def write(self, events: Sequence[Event]) -> bytes:
        """The chunks of these events; a proper end is the last event, `End`."""
        return b"".join([self._write(event) for event in events])

    def failure(self, failure: Failure) -> bytes:
        """The visible end of a broken stream: an error event, which the SDKs raise, then the end."""
        return b"data: " + failure_envelope(failure) + b"\n\n" + DONE

    def answer(self, answer: Answer) -> bytes:
        """The whole completion."""
        collected = answer.collected
        assert collected is not None
        self._name(answer.name, answer.model, answer.created)
        choices = collected.choices or tuple(answer.finished) or (0,)
        whole = {
            **self._head,
            "object": "chat.completion",
            "choices": [self._choice(answer, choice) for choice in sorted({*choices, *answer.finished})],
        }
        if answer.usage is not None:
            whole["usage"] = self._tokens(answer.usage)
        return _encode(whole)

    def patch(self, frame: Frame, events: Sequence[Event]) -> bytes:
        """An upstream's chunk that says these events instead; whatever else it says stays."""
        value = decode_value(frame.data or b"{}")
        for choice in value.get("choices") or ():
            number = index_of(choice)
            own = [event for event in events if getattr(event, "choice", None) == number]
            choice["delta"] = patched(choice.get("delta") or {}, own, partial(self._id_of, number))
            if choice.get("logprobs") is not None:
                choice["logprobs"] = next((event.logprobs for event in own if isinstance(event, Text)), None)
            finish = next((event for event in own if isinstance(event, Finish)), None)
            if choice.get("finish_reason") is not None or finish is not None:
                choice["finish_reason"] = self._word(finish) if finish else None
        name = b"event: " + frame.name.encode() + b"\n" if frame.name else b""
        return name + b"data: " + bytes(encode_value(value)) + b"\n\n"

    def patch_answer(self, body: bytes, answer: Answer) -> bytes:
        """An upstream's completion whose messages say what the answer does; whatever else it says stays."""
        value = decode_value(body)
        for choice in value.get("choices") or ():
            whole = self._choice(answer, index_of(choice))
            message = choice.get("message") or {}
            said = as_before(whole["message"], message)
            if choice.get("logprobs") is not None:
                choice["logprobs"] = whole["logprobs"]
            kept = {name: v for name, v in message.items() if name not in said and name not in SAID}
            new = {name: v for name, v in said.items() if v is not None or name in message}
            choice["message"] = {**kept, **new}
        return bytes(encode_value(value))

    def _id_of(self, choice: int, index: Any) -> str | None:
        return None if self._read is None else self._read.id_of(choice, index)

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Text):
            return self._delta(event.choice, {"content": event.text}, event.logprobs)
        if isinstance(event, Reasoning):
            return self._delta(event.choice, thought(event, self._upstream))
        if isinstance(event, Refusal):
            return self._delta(event.choice, {"refusal": event.text})
        if isinstance(event, ToolCall):
            return self._delta(event.choice, {"tool_calls": [self._call(event)]})
        if isinstance(event, Citation):
            return self._citation(event)
        if isinstance(event, Finish):
            return self._chunk(event.choice, {}, finish=self._word(event))
        if isinstance(event, Start):
            self._name(event.id, event.model, event.created)
        elif isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, End):
            return self._end()
        return b""

    def _end(self) -> bytes:
        if not self._wants_usage or self._usage is None:
            return DONE
        return b"data: " + _encode({**self._head, "choices": [], "usage": self._tokens(self._usage)}) + b"\n\n" + DONE

    def _delta(self, choice: int, delta: _Json, logprobs: Any = None) -> bytes:
        if choice not in self._begun:
            self._begun.add(choice)
            delta = {"role": "assistant", "content": None, **delta}
        return self._chunk(choice, delta, logprobs=logprobs)

    def _chunk(self, choice: int, delta: _Json, *, finish: str | None = None, logprobs: Any = None) -> bytes:
        said = {"index": choice, "delta": delta, "finish_reason": finish}
        if logprobs is not None:
            said["logprobs"] = logprobs
        return b"data: " + _encode({**self._head, "choices": [said]}) + b"\n\n"

    def _call(self, event: ToolCall) -> _Json:
        place = (event.choice, self._numbers.number(event))
        index = self._calls.setdefault(place, sum(choice == event.choice for choice, _ in self._calls))
        words = "arguments" if event.kind == "function" else "input"
        if place in self._named:
            said: _Json = {words: event.arguments}
            call: _Json = {"index": index, event.kind: said}
        else:
            self._named.add(place)
            id = event.id or f"call_{self._head['id']}_{event.choice}_{index}"
            said = {"name": event.name or "", words: event.arguments}
            call = {"index": index, "id": id, "type": event.kind, event.kind: said}
        if event.signature is not None:
            call["extra_content"] = signed(event.signature, self._upstream)
        return call

    def _citation(self, event: Citation) -> bytes:
        if event.url is None:
            self.dropped["citation"] = self.dropped.get("citation", 0) + 1
            return b""
        return self._delta(event.choice, {"annotations": [annotation(event)]})

    def _name(self, id: str | None, model: str | None, created: int | None) -> None:
        self._head |= {k: v for k, v in (("id", id), ("model", model), ("created", created)) if v is not None}

    def _word(self, finish: Finish) -> str:
        own = self._upstream == "chat" and finish.native
        return own or WORDS[finish.reason]

    def _tokens(self, usage: Usage) -> Mapping[str, Any]:
        return usage.native if self._upstream == "chat" and isinstance(usage.native, dict) else tokens(usage)

    def _choice(self, answer: Answer, choice: int) -> _Json:
        collected = answer.collected
        assert collected is not None
        parts = collected.message(choice, maker=self._upstream).parts
        visible = [p.text for p in parts if isinstance(p, TextPart) and not p.refusal]
        refused = "".join(p.text for p in parts if isinstance(p, TextPart) and p.refusal)
        said: _Json = {
            "role": "assistant",
            "content": "".join(visible) if visible else None,
            "refusal": refused or None,
        }
        said |= thoughts([p for p in parts if isinstance(p, ReasoningPart)])
        if calls := [whole_call(p, self._upstream) for p in parts if isinstance(p, ToolCallPart)]:
            said["tool_calls"] = calls
        if cited := [annotation(c) for c in collected.citations.get(choice, ()) if c.url is not None]:
            said["annotations"] = cited
        finish = answer.finished.get(choice)
        reason = self._word(finish) if finish else None
        return {
            "index": choice,
            "message": said,
            "logprobs": joined_logprobs(collected.logprobs.get(choice)),
            "finish_reason": reason,
        }
