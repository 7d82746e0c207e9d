"""Writes events as OpenAI's legacy completions: chunks of a stream, or one whole completion."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.events import Answer, End, Event, Failure, Finish, Frame, Opaque, Refusal, Start, Text, Usage
from gateway.prompt import TextPart
from gateway.wire.chat.chunk import index_of
from gateway.wire.chat.saying import tokens
from gateway.wire.chat.writer import DONE, WORDS
from gateway.wire.envelope import failure_envelope
from gateway.wire.json import decode_value, encode_value

_Json = dict[str, Any]
_encode: Final = msgspec.json.encode


class LegacyWriter:
    """Writes one attempt's answer; what is no text has no place in it.

    `usage` says whether the client asked for the chunk with usage; `upstream` is the dialect whose own words (finish
    reasons, usage) pass as they are when it is this one.
    """

    __slots__ = ("_head", "_own", "_usage", "_wants_usage", "dropped")

    end_marker: Final = DONE
    ping: Final = b": ping\n\n"

    def __init__(self, *, id: str, model: str, upstream: str, usage: bool) -> None:
        self._head: _Json = {"id": id, "object": "text_completion", "created": int(time.time()), "model": model}
        self._own = upstream in ("chat", "completions")
        self._wants_usage = usage
        self._usage: Usage | None = None
        self.dropped: dict[str, int] = {}
        """Events that it has no place for, by kind."""

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
        self._name(answer.name, answer.created)
        choices = sorted({*(collected.choices or tuple(answer.finished) or (0,)), *answer.finished})
        whole = {**self._head, "choices": [self._choice(answer, choice) for choice in choices]}
        if answer.usage is not None:
            whole["usage"] = self._tokens(answer.usage)
        return _encode(whole)

    def patch(self, frame: Frame, events: Sequence[Event]) -> bytes:
        """An upstream's chunk that says these events instead; whatever else it says stays."""
        value = decode_value(frame.data or b"{}")
        for choice in value.get("choices") or ():
            number = index_of(choice)
            own = [event for event in events if getattr(event, "choice", None) == number]
            choice["text"] = "".join(event.text for event in own if isinstance(event, Text))
            if choice.get("logprobs") is not None:
                choice["logprobs"] = next((event.logprobs for event in own if isinstance(event, Text)), None)
            finish = next((event for event in own if isinstance(event, Finish)), None)
            if choice.get("finish_reason") is not None or finish is not None:
                choice["finish_reason"] = self._word(finish) if finish else None
        return b"data: " + bytes(encode_value(value)) + b"\n\n"

    def patch_answer(self, body: bytes, answer: Answer) -> bytes:
        """An upstream's completion whose texts say what the answer does; whatever else it says stays."""
        value = decode_value(body)
        for choice in value.get("choices") or ():
            whole = self._choice(answer, index_of(choice))
            logprobs = whole["logprobs"] if choice.get("logprobs") is not None else None
            choice |= {"text": whole["text"], "logprobs": logprobs}
        return bytes(encode_value(value))

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Text | Refusal):
            return self._chunk(event.choice, event.text, logprobs=getattr(event, "logprobs", None))
        if isinstance(event, Finish):
            return self._chunk(event.choice, "", finish=self._word(event))
        if isinstance(event, Start):
            self._name(event.id, event.created)
        elif isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, End):
            return self._end()
        elif not isinstance(event, Opaque):
            kind = type(event).__name__.lower()
            self.dropped[kind] = self.dropped.get(kind, 0) + 1
        return b""

    def _end(self) -> bytes:
        if not self._wants_usage or self._usage is None:
            return DONE
        return b"data: " + _encode({**self._head, "choices": [], "usage": self._tokens(self._usage)}) + b"\n\n" + DONE

    def _chunk(self, choice: int, text: str, *, finish: str | None = None, logprobs: Any = None) -> bytes:
        said = {"text": text, "index": choice, "logprobs": logprobs, "finish_reason": finish}
        return b"data: " + _encode({**self._head, "choices": [said]}) + b"\n\n"

    def _choice(self, answer: Answer, choice: int) -> _Json:
        collected = answer.collected
        assert collected is not None
        parts = collected.message(choice, maker="").parts
        finish = answer.finished.get(choice)
        logprobs = collected.logprobs.get(choice)
        return {
            "text": "".join(part.text for part in parts if isinstance(part, TextPart)),
            "index": choice,
            "logprobs": logprobs[0] if logprobs else None,
            "finish_reason": self._word(finish) if finish else None,
        }

    def _name(self, id: str | None, created: int | None) -> None:
        self._head |= {k: v for k, v in (("id", id), ("created", created)) if v is not None}

    def _word(self, finish: Finish) -> str:
        return (self._own and finish.native) or WORDS[finish.reason]

    def _tokens(self, usage: Usage) -> Mapping[str, Any]:
        return usage.native if self._own and isinstance(usage.native, dict) else tokens(usage)
