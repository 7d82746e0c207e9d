"""Reads a whole message that came instead of a stream."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.events import End, Event, Failure, Finish, ToolCall
from gateway.wire.messages.blocks import READ, OpenBlock, arguments_of
from gateway.wire.messages.event import block_of
from gateway.wire.messages.failure import REASONS, failure_of, usage_of
from gateway.wire.messages.reader import start_of
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS, Malformed, parse_object

_BOM: Final = b"\xef\xbb\xbf"


class _Spelled(msgspec.Struct, gc=False):
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Calls(msgspec.Struct, gc=False):
    content: list[_Spelled]


def read_answer(body: bytes, status: int) -> list[Event]:
    """A message as events up to its `End`; anything else is one `Failure` that carries the body or its error."""
    body = body.removeprefix(_BOM)
    try:
        value = parse_object(body)
        error = value.get("error")
        if error:
            return [failure_of(error, status=status)]
        if status not in ERRORS and isinstance(content := value.get("content"), list):
            return _message(body, value, content)
    except Malformed:
        pass
    return [
        Failure(
            code="upstream_protocol",
            message="The upstream's answer is neither a stream nor a message.",
            status=status if status in ERRORS else 502,
            native=body,
        )
    ]


def _message(body: bytes, value: Mapping[str, Any], content: list[Any]) -> list[Event]:
    events: list[Event] = [start_of(dict(value))]
    inputs = _inputs(body, content)
    for index, given in enumerate(content):
        block = block_of(given)
        if block.type not in READ:
            continue
        reading = OpenBlock(index, block)
        events += reading.begin(block, None)
        if block.type == "tool_use":
            arguments = inputs[index]
            events.append(ToolCall(part=index, id=reading.id, arguments=arguments if arguments[:1] == "{" else "{}"))
        else:
            events += reading.end(None)
    if isinstance(usage := value.get("usage"), dict):
        events.append(usage_of(usage))
    reason, stop = value.get("stop_reason"), value.get("stop_sequence")
    if isinstance(reason, str) and reason:
        native = well_formed(reason)
        sequence = well_formed(stop) if isinstance(stop, str) else None
        events.append(Finish(reason=REASONS.get(native, "other"), native=native, stop_sequence=sequence))
    return [*events, End()]


def _inputs(body: bytes, content: list[Any]) -> list[str]:
    """The arguments of each block as JSON text: as it was spelled, where nothing is wrong with its Unicode."""
    try:
        spelled = msgspec.json.decode(body, type=_Calls).content
        return [bytes(block.input).decode() for block in spelled]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [arguments_of(block.get("input") if isinstance(block, dict) else None) for block in content]
