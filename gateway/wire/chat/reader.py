"""Reads the frames of a chat stream as events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.events import (
    End,
    Event,
    Failure,
    Finish,
    FinishReason,
    Frame,
    Opaque,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
)
from gateway.wire.chat.calls import Calls, first_call_is_writable
from gateway.wire.chat.chunk import (
    Choice,
    Chunk,
    Delta,
    Malformed,
    NamedChunk,
    Said,
    chunk_of,
    decode_all_going,
    decode_all_text,
    decode_fast,
    decode_going,
    decode_named,
    decode_text,
    parse_object,
    plain_text,
)
from gateway.wire.chat.details import Details
from gateway.wire.chat.failure import failure_of, usage_of
from gateway.wire.javascript import truthy
from gateway.wire.said import error_of
from gateway.wire.unicode import split_half, well_formed

REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
    # What vendors say besides: Together, Mistral, Z.ai, DeepSeek.
    "eos": "stop",
    "model_length": "length",
    "sensitive": "content_filter",
    "network_error": "error",
    "insufficient_system_resource": "error",
}
_COMMENT: Final = (Opaque(kind="comment"),)
_Said = tuple[int, type[Text | Reasoning | Refusal | ToolCall], str | None]
"""A running text of the answer: its choice, its kind, the call it belongs to."""


class ChatReader:
    """Reads one attempt's frames; a named one says what an unnamed one would where it is a chunk, or an error.

    `lenient` reads as the openai SDK for JavaScript and the Vercel AI SDK of 2024 did: named events say nothing,
    and the answer is the first element of `choices`, whatever its index.
    """

    __slots__ = ("_flows", "_halves", "_lenient", "_started", "_thoughts", "calls")

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._started = False
        self._flows = False
        """The last frame began the answer, or said a piece of text and nothing else: so may the next one."""
        self.calls = Calls()
        self._halves: dict[_Said, str] = {}
        """First halves of surrogate pairs whose second halves the next delta may bring."""
        self._thoughts: dict[int, Details] = {}
        """The thinking that goes on, by choice."""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`; a frame that cannot be read is a `Failure`."""
        data = frame.data
        if data is None:
            return [Opaque(kind="comment", source=frame)]
        if data[:6] == b"[DONE]":
            if not self._halves and not self._thoughts:
                return [End(source=frame)]
            return [*self._unpaired(frame, None), *self._proofs(frame, *self._thoughts), End(source=frame)]
        if frame.name is not None and self._lenient:
            return [Opaque(kind="named", source=frame)]
        if self._flows and frame.name is None and (text := self._text(frame, data)) is not None:
            return [text]
        try:
            if not data.isascii():
                data.decode()
            chunk = decode_fast(data) if self._started else decode_named(data)
            plain = plain_text(chunk) if self._started and frame.name is None else None
            if plain is not None and not self._halves and not self._thoughts:
                self._flows = True
                choice, words = plain
                index = 0 if self._lenient else choice.index
                return [Text(text=words, choice=index, logprobs=choice.logprobs, source=frame)]
            careful = chunk.error is not None or (chunk.choices is None and chunk.usage is None)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk, careful = Chunk(), True
        try:
            return self._carefully(frame, data) if careful else self._events(frame, chunk)
        except (Malformed, RecursionError):
            return [_malformed(frame) if frame.name is None else Opaque(kind="named", source=frame)]

    def skim(self, frame: Frame) -> Sequence[Event]:
        """Nothing of a frame that only goes on; of any other what `read` says."""
        data = frame.data
        if data is None:
            return _COMMENT
        if frame.name is None:
            try:
                if not data.isascii():
                    data.decode()
                decode_going(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                return ()
            self._flows = False  # what does more than go on is no piece of text, either
        return self.read(frame)

    def skim_lines(self, lines: bytes, count: int) -> bool:
        """Whether these are so many frames' data, a line each, none of which does more than go on."""
        try:
            if not lines.isascii():
                lines.decode()
            return len(decode_all_going(lines)) == count
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def join_lines(self, lines: bytes, count: int) -> str | None:
        """The text of the first choice that so many frames say, a line each; None where any of them says more."""
        said = self._texts(lines, count)
        if said is None or not (self._lenient or all(one.index == 0 for one in said)):
            return None
        return "".join([one.delta.content for one in said])

    def read_lines(self, lines: bytes, frames: Sequence[Frame]) -> list[Text] | None:
        """The pieces of text that these frames are, whose data are the lines; None where any of them says more."""
        said = self._texts(lines, len(frames))
        if said is None:
            return None
        return [
            Text(text=one.delta.content, choice=0 if self._lenient else one.index, logprobs=one.logprobs, source=frame)
            for one, frame in zip(said, frames, strict=True)
        ]

    def _texts(self, lines: bytes, count: int) -> list[Said] | None:
        if not self._flows:
            return None
        try:
            if not lines.isascii():
                lines.decode()
            said = [one.choices[0] for one in decode_all_text(lines)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return said if len(said) == count else None

    def _text(self, frame: Frame, data: bytes) -> Text | None:
        """The piece of text that the frame says, as the one before it did; None where it may say more."""
        try:
            if not data.isascii():
                data.decode()
            said = decode_text(data).choices[0]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._flows = False
            return None
        index = 0 if self._lenient else said.index
        return Text(text=said.delta.content, choice=index, logprobs=said.logprobs, source=frame)

    def _carefully(self, frame: Frame, data: bytes) -> list[Event]:
        value = parse_object(data)
        error = value.get("error")
        if truthy(error):
            return [failure_of(error, value, source=frame, spelled=not self._lenient)]
        if not self._lenient and _is_error(value, frame.name):
            return [failure_of(error_of(value), value, source=frame, spelled=True)]
        return self._events(frame, chunk_of(value, lenient=self._lenient), lone_halves=True)

    def _events(self, frame: Frame, chunk: Chunk, *, lone_halves: bool = False) -> list[Event]:
        if frame.name is not None and not chunk.choices and chunk.usage is None:
            return [Opaque(kind="named", source=frame)]
        events: list[Event] = []
        if not self._started and isinstance(chunk, NamedChunk) and (chunk.id or chunk.model):
            self._started = self._flows = True
            events.append(start_of(chunk, frame))
        choices = chunk.choices
        if choices:
            if choices[0].delta is None:
                raise Malformed("the delta is null")
            if self._lenient:
                self._choice(frame, choices[0], 0, lone_halves, events)
            else:
                for choice in choices:
                    self._choice(frame, choice, choice.index, lone_halves, events)
        usage = chunk.usage
        if usage is None and isinstance(chunk.x_groq, dict):
            usage = chunk.x_groq.get("usage")
        if usage is not None and isinstance(usage, dict):
            if choices and not events:  # more than usage: a frame of usage alone may be kept from the client
                events.append(Opaque(kind="delta", source=frame))
            events.append(usage_of(usage, source=frame))
        return events or [Opaque(kind="delta", source=frame)]

    def _choice(self, frame: Frame, choice: Choice, index: int, lone_halves: bool, events: list[Event]) -> None:
        delta = choice.delta
        text = choice.text
        if type(delta) is Delta:
            text = delta.content or text
            thinks = delta.reasoning_content or delta.reasoning or delta.reasoning_details
            if thinks and (thinking := self._thinking(delta, index, lone_halves)):
                events.append(Reasoning(text=thinking, choice=index, source=frame))
            if self._thoughts and (text or delta.refusal or delta.tool_calls or delta.function_call):
                events += self._proofs(frame, index)
        if text:
            if lone_halves or self._halves:
                text = self._joined((index, Text, None), text, lone_halves)
            if text:
                events.append(Text(text=text, choice=index, logprobs=choice.logprobs, source=frame))
        if type(delta) is Delta:
            if delta.refusal and (refusal := self._joined((index, Refusal, None), delta.refusal, lone_halves)):
                events.append(Refusal(text=refusal, choice=index, source=frame))
            if delta.tool_calls is not None or delta.function_call is not None:
                self._tools(frame, delta, index, events)
        if choice.finish_reason:
            if self._halves or self._thoughts:
                events += self._unpaired(frame, index)
                events += self._proofs(frame, index)
            native = well_formed(choice.finish_reason)
            events.append(Finish(reason=REASONS.get(native, "other"), choice=index, native=native, source=frame))

    def _thinking(self, delta: Delta, index: int, lone_halves: bool) -> str:
        """What the delta thinks: in its details or beside them, and where in both, the same."""
        said, details, text = delta.reasoning_content or delta.reasoning, delta.reasoning_details, ""
        if self._lenient or not (said or details):
            return said or ""
        self._flows = False
        thoughts = self._thoughts.setdefault(index, Details())
        if isinstance(details, list):
            text = thoughts.go_on(details, lambda text: self._joined((index, Reasoning, None), text, lone_halves))
        if not text and said and (text := self._joined((index, Reasoning, None), said, lone_halves)):
            thoughts.say(text)
        return text

    def _proofs(self, frame: Frame, *choices: int) -> list[Event]:
        """What ends the thinking of these choices: its proof, where it has details."""
        ended = [(choice, self._thoughts.pop(choice)) for choice in choices if choice in self._thoughts]
        return [
            Reasoning(signature=proof, choice=choice, source=frame)
            for choice, thoughts in ended
            if (proof := thoughts.proof()) is not None
        ]

    def _tools(self, frame: Frame, delta: Delta, index: int, events: list[Event]) -> None:
        if self._lenient and not first_call_is_writable(delta):
            raise Malformed("the first tool call is none")
        for call in self.calls.read(delta, index):
            arguments = self._joined((index, ToolCall, call.id), call.arguments, True) if call.arguments else ""
            signature = None if call.signature is None else well_formed(call.signature)
            events.append(
                ToolCall(
                    id=call.id,
                    name=call.name,
                    arguments=arguments,
                    kind=call.kind,
                    choice=index,
                    signature=signature,
                    source=frame,
                )
            )

    def _joined(self, said: _Said, text: str, lone_halves: bool) -> str:
        """`text` with what the last delta held back, less what the next one may complete."""
        if not lone_halves and not self._halves:
            return text
        text, half = split_half(self._halves.pop(said, "") + text)
        if half:
            self._flows = False
            self._halves[said] = half
        return well_formed(text)

    def _unpaired(self, frame: Frame, index: int | None) -> list[Event]:
        """Halves nothing will complete any more, of one choice or of all."""
        events: list[Event] = []
        for said in [s for s in self._halves if index is None or s[0] == index]:
            del self._halves[said]
            choice, kind, call = said
            if issubclass(kind, ToolCall):
                events.append(ToolCall(id=call, arguments="\ufffd", choice=choice, source=frame))
            else:
                events.append(kind(text="\ufffd", choice=choice, source=frame))
        return events


def _is_error(value: Mapping[str, Any], name: str | None) -> bool:
    """Whether an object without `error` is one all the same: SGLang's, FastAPI's, or an event of that name."""
    if value.get("choices"):
        return False
    return value.get("object") == "error" or name == "error" or (bool(value.get("detail")) and "id" not in value)


def start_of(chunk: NamedChunk, source: Frame | None = None) -> Start:
    """The name of the answer a chunk or a completion belongs to."""
    name, model = chunk.id, chunk.model
    return Start(
        id=name and well_formed(name), model=model and well_formed(model), created=chunk.created, source=source
    )


def _malformed(frame: Frame) -> Failure:
    return Failure(code="upstream_protocol", message="The upstream sent an event that is not valid JSON.", source=frame)
