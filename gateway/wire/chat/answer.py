"""Reads a whole chat answer that came instead of a stream."""

from typing import Any

from gateway.events import End, Event, Failure, Finish, Reasoning, Refusal, Text, ToolCall
from gateway.wire.chat.calls import Calls
from gateway.wire.chat.chunk import Delta, Malformed, chunk_of, parse_object
from gateway.wire.chat.details import Details
from gateway.wire.chat.failure import failure_of, usage_of
from gateway.wire.chat.reader import REASONS, start_of
from gateway.wire.javascript import truthy
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS

_BOM = b"\xef\xbb\xbf"


def read_answer(body: bytes, status: int) -> list[Event]:
    """A completion as events up to its `End`; anything else is one `Failure` that carries the body or its error."""
    try:
        value = parse_object(body.removeprefix(_BOM))
        error = value.get("error")
        if truthy(error):
            return [failure_of(error, value, status=status)]
        if status not in ERRORS and isinstance(choices := value.get("choices"), list) and choices:
            return _completion(value, choices)
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


def _completion(value: dict[str, Any], choices: list[Any]) -> list[Event]:
    deltas = [{**c, "delta": c["message"]} if isinstance(c, dict) and "message" in c else c for c in choices]
    chunk = chunk_of({**value, "choices": deltas})
    events: list[Event] = [start_of(chunk)] if chunk.id or chunk.model else []
    calls = Calls()
    said = False
    for choice in chunk.choices or ():
        delta = choice.delta if isinstance(choice.delta, Delta) else Delta()
        said = said or isinstance(choice.delta, Delta) or choice.text is not None
        index = choice.index
        events += _thinking(delta, index)
        if text := delta.content or choice.text:
            events.append(Text(text=well_formed(text), choice=index, logprobs=choice.logprobs))
        if delta.refusal:
            events.append(Refusal(text=well_formed(delta.refusal), choice=index))
        events += [
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
        if choice.finish_reason:
            native = well_formed(choice.finish_reason)
            events.append(Finish(reason=REASONS.get(native, "other"), choice=index, native=native))
    if not said:
        raise Malformed("no choice has a message")
    if isinstance(chunk.usage, dict):
        events.append(usage_of(chunk.usage))
    return [*events, End()]


def _thinking(delta: Delta, index: int) -> list[Event]:
    thoughts, details = Details(), delta.reasoning_details
    text = thoughts.add(details, well_formed) if isinstance(details, list) else ""
    if not text and (said := delta.reasoning_content or delta.reasoning):
        text = well_formed(said)
        thoughts.say(text)
    proof = thoughts.proof()
    return [Reasoning(text=text, choice=index, signature=proof)] if text or proof else []
