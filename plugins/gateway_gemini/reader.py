"""Reads the frames of a Gemini stream as events."""

import os
import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.events import End, Event, Failure, Frame, Opaque, Reasoning, Start, Text, ToolCall
from gateway.wire.unicode import split_half, well_formed
from gateway_gemini.chunk import Candidate, Chunk, Malformed, Part, chunk_of, parse
from gateway_gemini.ending import blocked, finish_of, usage_of
from gateway_gemini.failure import error_in, failure_of
from gateway_gemini.grounding import citations
from gateway_gemini.logprobs import logprobs_of

_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,28}")
"""What may stand in the ids of calls everywhere: some makers take no more than 40 signs."""


class GeminiReader:
    """Reads one attempt's chunks. Calls come whole; those without an id get one from the answer's."""

    __slots__ = ("_calls", "_choices", "_id", "_started")

    def __init__(self) -> None:
        self._started = False
        self._choices: dict[int, _Choice] = {}
        self._calls = 0
        self._id = ""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`; a frame that cannot be read is a `Failure`."""
        data = frame.data
        if data is None:
            return [_bare(frame)]
        if data[:6] == b"[DONE]":  # some proxies say it everywhere
            return [Opaque(kind="done", source=frame)]
        try:
            return self.events(chunk_of(data), frame) or [Opaque(kind="empty", source=frame)]
        except Malformed:
            message = "The upstream sent an event that is not valid JSON."
            return [Failure(code="upstream_protocol", message=message, source=frame)]

    def events(self, chunk: Chunk, frame: Frame | None) -> list[Event]:
        """What a chunk says; a whole answer is one, too."""
        if chunk.error:
            return [failure_of(chunk.error, source=frame)]
        events: list[Event] = []
        if not self._started and (chunk.response_id or chunk.model_version):
            events.append(self._start(chunk, frame))
        if isinstance(chunk.usage_metadata, dict):
            events.append(usage_of(chunk.usage_metadata, frame))
        for candidate in chunk.candidates or ():
            events += self._candidate(candidate, frame)
        if not chunk.candidates and (finish := blocked(chunk.prompt_feedback, frame)) is not None:
            events += [finish, End(source=frame)]
        return events

    def _start(self, chunk: Chunk, frame: Frame | None) -> Start:
        self._started = True
        id, model = chunk.response_id, chunk.model_version
        if id is not None and _ID.fullmatch(id):
            self._id = id
        return Start(
            id=None if id is None else well_formed(id),
            model=None if model is None else well_formed(model),
            source=frame,
        )

    def _candidate(self, candidate: Candidate, frame: Frame | None) -> Iterator[Event]:
        index = candidate.index
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        logprobs = candidate.logprobs_result
        parts = candidate.content.parts if candidate.content is not None else None
        for part in parts or ():
            if part.function_call is not None:
                yield self._call(part, index, choice, frame)
            elif part.text is None and part.thought_signature is None:
                yield Opaque(kind="part", source=frame)
            else:
                yield from choice.say(part, index, frame, logprobs_of(logprobs) if logprobs else None)
                logprobs = None
        if candidate.grounding_metadata or candidate.citation_metadata:
            said = "".join(choice.said)
            found = citations((candidate.grounding_metadata, candidate.citation_metadata), said, index, frame)
            yield from (one for one in found if choice.cites((one.url, one.title, one.start, one.end)))
        if candidate.finish_reason:
            yield from choice.rest(index, frame)
            message = candidate.finish_message
            yield finish_of(candidate.finish_reason, message, choice=index, called=choice.called, source=frame)

    def _call(self, part: Part, index: int, choice: "_Choice", frame: Frame | None) -> ToolCall:
        call = part.function_call
        assert call is not None
        choice.called = True
        id = well_formed(call.id) if call.id else self._next_id()
        return ToolCall(
            choice=index,
            id=id,
            name=well_formed(call.name or ""),
            arguments=well_formed(call.arguments),
            signature=part.thought_signature,
            source=frame,
        )

    def _next_id(self) -> str:
        self._id = self._id or os.urandom(12).hex()
        self._calls += 1
        return f"call_{self._id}_{self._calls}"


class _Choice:
    """What one candidate has said so far."""

    __slots__ = ("_cited", "_halves", "called", "said")

    def __init__(self) -> None:
        self.called = False
        self.said: list[str] = []
        """Its visible text, which places of citations count."""
        self._halves: dict[bool, str] = {}
        """The first half of a surrogate pair whose second half the next chunk may bring; by whether it is thought."""
        self._cited: set[tuple[Any, ...]] = set()

    def say(self, part: Part, index: int, frame: Frame | None, logprobs: Any) -> Iterator[Event]:
        """A piece of text or thinking. The proof of a text stands before it where the text begins, else behind."""
        thought, signature = part.thought is True, part.thought_signature
        text = self._joined(part.text or "", thought)
        if thought:
            if text or signature:
                yield Reasoning(text=text, choice=index, signature=signature, source=frame)
            return
        proof = [] if signature is None else [Reasoning(choice=index, signature=signature, source=frame)]
        if proof and not self.said:
            yield proof.pop()
        if text:
            self.said.append(text)
            yield Text(text=text, choice=index, logprobs=logprobs, source=frame)
        yield from proof

    def rest(self, index: int, frame: Frame | None) -> Iterator[Event]:
        """Halves that nothing will complete."""
        halves, self._halves = self._halves, {}
        for thought, half in halves.items():
            if half:
                kind = Reasoning if thought else Text
                yield kind(text="\ufffd", choice=index, source=frame)

    def cites(self, citation: tuple[Any, ...]) -> bool:
        """Whether that is new: chunks may repeat what they found."""
        new = citation not in self._cited
        self._cited.add(citation)
        return new

    def _joined(self, text: str, thought: bool) -> str:
        half = self._halves.get(thought, "")
        if text.isascii() and not half:
            return text
        text, self._halves[thought] = split_half(half + text)
        return well_formed(text)


def _bare(frame: Frame) -> Event:
    """A comment; or an error as bare JSON, which Google writes into streams that have begun."""
    raw = frame.raw.strip()
    if raw[:1] in (b"{", b"["):
        try:
            error = error_in(parse(raw))
        except Malformed:
            error = None
        if error is not None:
            return failure_of(error, source=frame)
    return Opaque(kind="comment", source=frame)
