"""Reads a whole chat answer that came instead of a stream."""

from typing import Any, Final

import msgspec

from gateway.events import End, Event, Failure, Finish, Reasoning, Refusal, Text, ToolCall
from gateway.wire.chat.calls import Calls
from gateway.wire.chat.chunk import Delta, Malformed, NamedChunk, chunk_of, decode_whole, parse_object
from gateway.wire.chat.details import Details
from gateway.wire.chat.failure import failure_of, usage_of
from gateway.wire.chat.reader import REASONS, start_of
from gateway.wire.javascript import truthy
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS

_BOM: Final = b"\xef\xbb\xbf"
_NOTHING: Final = Delta()
"""What a choice without a message says."""


def read_answer(body: bytes, status: int) -> list[Event]:
    """A completion as events up to its `End`; anything else is one `Failure` that carries the body or its error."""
    try:
        whole = _as_documented(body)
        if whole is not None and status not in ERRORS:
            return _completion(whole)
        value = parse_object(body.removeprefix(_BOM))
        error = value.get("error")
        if truthy(error):
            return [failure_of(error, value, status=status)]
        if status not in ERRORS and isinstance(choices := value.get("choices"), list) and choices:
            return _completion(_with_deltas(value, choices))
    except Malformed:
        pass
    return [
        Failure(
            code="upstream_protocol",
            message="The upstream's answer is neither a stream nor a completion.",
            status=status if status in ERRORS else 502,
            native=body,
        )
    ]


def _as_documented(body: bytes) -> NamedChunk | None:
    """A completion in which everything looked at is as documented, as nearly all are; else None."""
    try:
        if not body.isascii():
            body.decode()
        whole = decode_whole(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return whole if whole.choices and whole.error is None else None


def _with_deltas(value: dict[str, Any], choices: list[Any]) -> NamedChunk:
    deltas = [{**c, "delta": c["message"]} if isinstance(c, dict) and "message" in c else c for c in choices]
    return chunk_of({**value, "choices": deltas})


def _completion(whole: NamedChunk) -> list[Event]:
    events: list[Event] = [start_of(whole)] if whole.id or whole.model else []
    calls: Calls | None = None
    said = False
    for choice in whole.choices or ():
        delta, index = choice.delta, choice.index
        said = said or type(delta) is Delta or choice.text is not None
        if type(delta) is not Delta:
            delta = _NOTHING
        if delta.reasoning_details is not None or delta.reasoning_content or delta.reasoning:
            events += _thinking(delta, index)
        if text := delta.content or choice.text:
            events.append(Text(text=well_formed(text), choice=index, logprobs=choice.logprobs))
        if delta.refusal:
            events.append(Refusal(text=well_formed(delta.refusal), choice=index))
        if delta.tool_calls is not None or delta.function_call is not None:
            calls = calls or Calls()
            events += _calls(calls, delta, index)
        if choice.finish_reason:
            native = well_formed(choice.finish_reason)
            events.append(Finish(reason=REASONS.get(native, "other"), choice=index, native=native))
    if not said:
        raise Malformed("no choice has a message")
    if isinstance(whole.usage, dict):
        events.append(usage_of(whole.usage))
    events.append(End())
    return events


def _calls(calls: Calls, delta: Delta, index: int) -> list[Event]:
    return [
        ToolCall(
            id=c.id,
            name=c.name,
            arguments=well_formed(c.arguments),
            kind=c.kind,
            choice=index,
            signature=None if c.signature is None else well_formed(c.signature),
        )
        for c in calls.read(delta, index)
    ]


def _thinking(delta: Delta, index: int) -> list[Event]:
    thoughts, details = Details(), delta.reasoning_details
    text = thoughts.add(details, well_formed) if isinstance(details, list) else ""
    if not text and (said := delta.reasoning_content or delta.reasoning):
        text = well_formed(said)
        thoughts.say(text)
    proof = thoughts.proof()
    return [Reasoning(text=text, choice=index, signature=proof)] if text or proof else []
