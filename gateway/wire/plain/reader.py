"""Looks at answers that pass unread: for usage, for an error, for their end."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.events import End, Event, Failure, Finish, Frame, Opaque, Usage
from gateway.wire.upstream import ERRORS, object_of, reported

_BOM: Final = b"\xef\xbb\xbf"
_ENDS: Final = (".done", ".completed")
"""How the types of last events end: `transcript.text.done`, `image_generation.completed`."""


class _Said(msgspec.Struct, gc=False):
    """As much of a body, or of an event, as is looked at."""

    error: Any = None
    usage: Any = None
    type: Any = None
    choices: Any = None


_decode: Final = msgspec.json.Decoder(_Said | list[msgspec.Raw]).decode


class PlainReader:
    """Reads the frames of an event stream whose content is not understood.

    Its end is `[DONE]`, an event whose type says so, or a finish reason: a stream that brings none of them was cut.
    """

    __slots__ = ("_finished",)

    def __init__(self) -> None:
        self._finished = 0

    def read(self, frame: Frame) -> list[Event]:
        """Usage, an error or an end that the frame tells; else `Opaque`."""
        data = frame.data
        if data is None:
            return [Opaque(kind="comment", source=frame)]
        if data[:6] == b"[DONE]":
            return [End(source=frame)]
        said = _look(data)
        if said is None:
            return [_broken("The upstream sent an event that is no JSON.", source=frame)]
        if said.error:
            return [_failure_of(said.error, source=frame)]
        events: list[Event] = [_usage_of(said.usage, source=frame)] if isinstance(said.usage, dict) else []
        if self._ends(frame, said):
            events.append(Finish(reason="stop", choice=self._finished, source=frame))
            self._finished += 1
        return events or [Opaque(kind="delta", source=frame)]

    def _ends(self, frame: Frame, said: _Said) -> bool:
        kind = said.type if isinstance(said.type, str) else frame.name or ""
        choices = said.choices if isinstance(said.choices, list) else ()
        return kind.endswith(_ENDS) or any(isinstance(c, dict) and c.get("finish_reason") for c in choices)


def read_body(body: bytes) -> list[Event]:
    """A whole JSON body as its usage and its end, or as one `Failure`."""
    said = _look(body.removeprefix(_BOM))
    if said is None:
        return [_broken("The upstream's answer is no JSON, though it says so.", native=body)]
    if said.error:
        return [_failure_of(said.error)]
    usage = [_usage_of(said.usage)] if isinstance(said.usage, dict) else []
    return [*usage, End()]


def _look(data: bytes) -> _Said | None:
    """What a JSON text says; None when it is none."""
    try:
        if not data.isascii():
            data.decode()
        said = _decode(data)
    except msgspec.ValidationError:
        return _Said()
    except (msgspec.DecodeError, RecursionError):
        return _look_carefully(data)
    except UnicodeDecodeError:
        return None
    return said if isinstance(said, _Said) else _Said()


def _look_carefully(data: bytes) -> _Said | None:
    """The same where lone surrogates are said, which msgspec refuses."""
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    names = ("error", "usage", "type", "choices")
    return _Said(**{name: value.get(name) for name in names}) if isinstance(value, dict) else _Said()


def _failure_of(error: Any, source: Frame | None = None) -> Failure:
    details = object_of(error)
    said = [v for v in (details.get("status"), details.get("code")) if type(v) is int]
    status = next((v for v in said if v in ERRORS), 502)
    return reported(error, status, source=source)


def _broken(message: str, *, native: Any = None, source: Frame | None = None) -> Failure:
    return Failure(code="upstream_protocol", message=message, native=native, source=source)


def _usage_of(native: Mapping[str, Any], source: Frame | None = None) -> Usage:
    """Tokens under the names of embeddings, images and transcriptions; where only a total is said it was all input."""
    details = native.get("input_tokens_details") or native.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    given = _count(native, "prompt_tokens", "input_tokens")
    written = _count(native, "completion_tokens", "output_tokens")
    return Usage(
        input=_count(native, "total_tokens") if given is None and written is None else given,
        output=written,
        cache_read=cached if type(cached) is int else None,
        native=native,
        source=source,
    )


def _count(native: Mapping[str, Any], *names: str) -> int | None:
    return next((v for name in names if type(v := native.get(name)) is int and v >= 0), None)
