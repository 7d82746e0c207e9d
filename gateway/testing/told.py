"""What a client was told, read from the bytes it got: did the answer end properly, with an error, cut, or seemingly?

The contract: an answer ends with its dialect's proper end, or with an error that the client can see. `PRETENDED` is
what must never be: the message is over, nothing is wrong with it, and the answer is not complete.
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.testing.client import RawResponse

Surface: TypeAlias = Literal["custom", "chat", "completions", "messages", "responses", "plain"]


class Ending(StrEnum):
    """How an answer ended for the client."""

    PROPER = "proper end"
    ERROR = "error event"
    """The stream said what went wrong, and was over."""
    REFUSED = "refused"
    """A status that is an error, and a whole body that says why."""
    CUT = "cut"
    """The HTTP message was not ended."""
    PRETENDED = "clean end after a cut"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the client learned."""

    ending: Ending
    status: int | None = None
    text: str = ""
    """What the model said, as far as it came."""
    code: str = ""
    """Of an error; on the custom route, which has none, its message."""
    flaw: str = ""
    """What no answer may be, in one sentence: bytes that are no text, an error without its form, more after the end."""


def told(surface: Surface, response: RawResponse) -> Told:
    """What a client of that surface was told."""
    try:
        return _told(surface, response)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        flaw = f"the answer has not the form of its dialect: {type(error).__name__}: {error}"
        return Told(ending=Ending.PRETENDED, status=response.status, flaw=flaw)


def _told(surface: Surface, response: RawResponse) -> Told:
    if response.status is None or not response.complete:
        text = _text_of(surface, response) if response.status == 200 else ""
        return Told(ending=Ending.CUT, status=response.status, text=text)
    if response.status >= 400:
        return Told(ending=Ending.REFUSED, status=response.status, code=_code(surface, response.json()))
    if surface == "custom":
        return Told(ending=Ending.PROPER, status=response.status, text=response.body.decode())
    if (response.header("content-type") or "").startswith("text/event-stream"):
        return _stream(surface, response)
    whole = response.json()
    finished = _finished(surface, whole)
    return Told(
        ending=Ending.PROPER if finished else Ending.PRETENDED,
        status=response.status,
        text=_whole_text(surface, whole),
        flaw="" if finished else "a whole answer that is not finished",
    )


def _code(surface: Surface, body: Any) -> str:
    if surface == "custom":
        return str(body["message"])
    error = body["error"]
    if surface == "messages":
        if body["type"] != "error" or not isinstance(error["type"], str):
            raise ValueError("no error of this dialect")
        return str(error.get("details", {}).get("error_code", ""))
    if set(error) != {"message", "type", "param", "code"}:
        raise ValueError(f"the error has the fields {sorted(error)}")
    return str(error["code"])


def _text_of(surface: Surface, response: RawResponse) -> str:
    if surface == "custom":
        return response.body.decode(errors="replace")
    return "".join(_piece(surface, data) for _, data in _frames(response.body) if isinstance(data, dict))


def _stream(surface: Surface, response: RawResponse) -> Told:
    frames = list(_frames(response.body))
    objects = [data for _, data in frames if isinstance(data, dict)]
    text = "".join(_piece(surface, data) for data in objects)
    if surface == "messages":
        ending, code = _messages_end(objects)
    elif surface == "responses":
        ending, code = _responses_end(objects)
    else:
        ending, code = _chat_end([data for _, data in frames])
    flaw = "the stream ends without saying how" if ending is Ending.PRETENDED else ""
    return Told(ending=ending, status=response.status, text=text, code=code, flaw=flaw)


def _frames(body: bytes) -> Iterator[tuple[str, Any]]:
    """Name and data of each event that is whole; strict about UTF-8 and JSON, as the gateway has to be."""
    lines = body.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for frame in lines.split("\n\n")[:-1]:
        fields = [line.partition(":")[::2] for line in frame.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for name, value in fields if name == "data")
        if data:
            named = "".join(value.strip() for name, value in fields if name == "event")
            yield named, data if data == "[DONE]" else json.loads(data)


def _chat_end(frames: list[Any]) -> tuple[Ending, str]:
    """`[DONE]` is last in any case; before it stands an error, or else every choice has finished."""
    if not frames or frames[-1] != "[DONE]" or frames.count("[DONE]") != 1:
        return Ending.PRETENDED, ""
    objects = [data for data in frames if isinstance(data, dict)]
    if objects and "error" in objects[-1]:
        return Ending.ERROR, _code("chat", objects[-1])
    finished = any(choice.get("finish_reason") for data in objects for choice in data.get("choices", ()))
    return (Ending.PROPER if finished else Ending.PRETENDED), ""


def _messages_end(objects: list[Any]) -> tuple[Ending, str]:
    last = objects[-1] if objects else {}
    if last.get("type") == "error":
        return Ending.ERROR, _code("messages", last)
    stopped = any(data.get("delta", {}).get("stop_reason") for data in objects if data["type"] == "message_delta")
    return (Ending.PROPER if last.get("type") == "message_stop" and stopped else Ending.PRETENDED), ""


def _responses_end(objects: list[Any]) -> tuple[Ending, str]:
    last = objects[-1] if objects else {}
    if last.get("type") == "response.failed":
        return Ending.ERROR, str(last["response"]["error"]["code"])
    ended = last.get("type") in ("response.completed", "response.incomplete")
    return (Ending.PROPER if ended else Ending.PRETENDED), ""


def _piece(surface: Surface, data: Mapping[str, Any]) -> str:
    """The text of one event."""
    if surface == "messages":
        return str(data.get("delta", {}).get("text", "")) if data["type"] == "content_block_delta" else ""
    if surface == "responses":
        return str(data["delta"]) if data["type"] == "response.output_text.delta" else ""
    choices = data.get("choices", ())
    if surface == "completions":
        return "".join(choice.get("text") or "" for choice in choices)
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _finished(surface: Surface, whole: Mapping[str, Any]) -> bool:
    if surface == "messages":
        return bool(whole["stop_reason"])
    if surface == "responses":
        return whole["status"] in ("completed", "incomplete")
    if surface == "plain":
        return True
    return all(choice["finish_reason"] for choice in whole["choices"]) and bool(whole["choices"])


def _whole_text(surface: Surface, whole: Mapping[str, Any]) -> str:
    if surface == "messages":
        return "".join(block["text"] for block in whole["content"])
    if surface == "responses":
        return "".join(part["text"] for item in whole["output"] for part in item["content"])
    if surface == "plain":
        return ""
    if surface == "completions":
        return "".join(choice["text"] for choice in whole["choices"])
    return "".join(choice["message"]["content"] or "" for choice in whole["choices"])
