"""Writes events as OpenAI's responses: the typed events of a stream, or one whole response."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

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
from gateway.prompt import TextPart
from gateway.requests import ChatRequest
from gateway.wire.envelope import failure_error
from gateway.wire.json import decode_value, encode_value
from gateway.wire.responses.contents import Json, begun, ended, proof, tokens
from gateway.wire.responses.foreign import ForeignItems
from gateway.wire.responses.items import BREAK, OpenItem
from gateway.wire.responses.output import Item
from gateway.wire.responses.patching import patched_output, whole_output
from gateway.wire.responses.reader import ResponsesReader
from gateway.wire.responses.stream import OutputStream

_OF_A_CHOICE: Final = (Text, Reasoning, Refusal, ToolCall, Citation, Finish)
_NEXT_PART: Final = "response.reasoning_summary_part.added"


class ResponsesWriter:
    """Writes one attempt's answer; `upstream` is the dialect whose own words pass as they are when it is responses.

    Texts that follow each other are one message, which ends, as thinking does, where something else begins; calls end
    only with the answer: upstreams may tell several at once.
    """

    __slots__ = (
        "_begun",
        "_calls",
        "_finish",
        "_foreign",
        "_numbers",
        "_open",
        "_own",
        "_reader",
        "_refused",
        "_response",
        "_stream",
        "_told",
        "_upstream",
        "_usage",
        "dropped",
    )

    end_marker: Final = b""
    ping: Final = b": ping\n\n"

    def __init__(self, request: ChatRequest, *, upstream: str) -> None:
        suffix = os.urandom(20).hex()
        self._response: Json = begun(request, id=f"resp_{suffix}", created=int(time.time()))
        self._upstream = upstream
        self._own = upstream == "responses"
        self._reader: ResponsesReader | None = None
        self._told: Callable[[str], str] = str
        self._begun = False
        self._stream = OutputStream(suffix)
        self._foreign = ForeignItems(self._stream)
        self._numbers = PartNumbers()
        self._open: tuple[int, str] | None = None
        """The part and kind of what goes on."""
        self._calls: dict[int, Item] = {}
        self._refused = False
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self.dropped: dict[str, int] = {}
        """Events that responses have no place for, by kind."""

    def follow(self, reader: ResponsesReader, told: Callable[[str], str]) -> None:
        """Say what an upstream of this dialect says besides its events; `reader` has read it.

        `told` is what the client is told for the upstream's id of an answer.
        """
        self._reader, self._told = reader, told

    def write(self, events: Sequence[Event]) -> bytes:
        """The bytes of these events; a proper end is the last event, `End`."""
        return b"".join([self._write(event) for event in events])

    def failure(self, failure: Failure) -> bytes:
        """The visible end of a broken stream: the error, which the SDKs raise, and the response that failed.

        The error has its fields twice: the SDKs look for the nested ones, and the documentation has the flat.
        """
        if self._reader is not None:  # its events may have passed without being written
            self._stream.sequence = max(self._stream.sequence, self._reader.sequence + 1)
        error = failure_error(failure)
        flat = {name: error[name] for name in ("code", "message", "param")}
        told = self._stream.event("error", **flat, error=error)
        code = error["code"]
        said = {"code": code if isinstance(code, str) else str(code), "message": error["message"]}
        response = self._whole(status="failed", error=said, output=self._stream.output())
        return told + self._stream.event("response.failed", response=response)

    def answer(self, answer: Answer) -> bytes:
        """The whole response."""
        collected = answer.collected
        assert collected is not None
        self._name(answer.model, answer.created)
        parts = collected.parts(maker=self._upstream)
        reader = self._reader
        told = reader.response.get("output") if reader is not None else None
        if reader is not None and isinstance(told, list):  # it is of this dialect, and streamed although nobody asked
            output = patched_output(told, parts, reader.place)
        else:
            output = whole_output(
                parts,
                collected.citations.get(0, ()),
                collected.logprobs.get(0, ()),
                maker=self._upstream,
                suffix=self._response["id"].removeprefix("resp_"),
            )
        self._usage, self._finish = answer.usage, answer.finished.get(0)
        self._refused = any(isinstance(part, TextPart) and part.refusal for part in parts.values())
        return bytes(encode_value(self._ended(output)))

    def patch_answer(self, body: bytes, answer: Answer) -> bytes:
        """An upstream's response with what the answer says now in it; items without words of ours stay."""
        collected = answer.collected
        assert collected is not None
        response = dict(decode_value(body))
        parts, again = collected.parts(maker=self._upstream), ResponsesReader()
        again.whole(response)  # numbers the parts as they were numbered for the answer
        output = patched_output(response.get("output") or [], parts, again.place)
        return bytes(encode_value(_told_once({**response, "output": output})))

    def _write(self, event: Event) -> bytes:
        if isinstance(event, _OF_A_CHOICE) and event.choice != 0:
            return self._drop("choice")
        if isinstance(event, Text):
            out = self._opened(self._numbers.number(event), "output_text")
            return out + self._stream.say(event.text, event.logprobs)
        if isinstance(event, Refusal):
            self._refused = True
            return self._opened(self._numbers.number(event), "refusal") + self._stream.say(event.text)
        if isinstance(event, Reasoning):
            return self._think(event)
        if isinstance(event, ToolCall):
            return self._call(event)
        if isinstance(event, Citation):
            return self._cite(event)
        if isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, Start):
            self._name(event.model, event.created)
        elif isinstance(event, Finish):
            self._finish = event
            return self._begin() + self._stream.close_all(self._status()["status"])
        elif isinstance(event, End):
            return self._end()
        elif isinstance(event, Opaque) and self._own and self._foreign.knows(event):
            return self._begin() + self._foreign.passed(event)
        return b""

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = self._whole(status="in_progress", incomplete_details=None, output=[], usage=None)
        created = self._stream.event("response.created", response=response)
        return created + self._stream.event("response.in_progress", response=response)

    def _end(self) -> bytes:
        status = self._status()["status"]
        out = self._begin() + self._stream.close_all(status)
        return out + self._stream.event(f"response.{status}", response=self._ended(self._stream.output()))

    def _opened(self, part: int, kind: str) -> bytes:
        """What has to be written before that part goes on."""
        stream = self._stream
        if self._open == (part, kind) and stream.content is not None:
            return b""
        out, given = self._begin(), self._given(part)
        item = stream.item
        if item is None or item.kind != "message" or item.maker is not given:
            start, item = stream.begin("message", given.given if given is not None else {})
            item.maker = given
            out += start
        self._open = (part, kind)
        return out + stream.open(item, kind)

    def _think(self, event: Reasoning) -> bytes:
        part, stream = self._numbers.number(event), self._stream
        name = event.source.name if self._own and event.source is not None else None
        kind = "reasoning_text" if name == "response.reasoning_text.delta" else "summary_text"
        out, item = self._begin(), stream.item
        if item is None or item.kind != "reasoning" or item.maker != part:
            given = self._given(part)
            start, item = stream.begin("reasoning", given.given if given is not None else {})
            item.maker = part
            out += start
        self._open = (part, kind)
        if event.text and name == _NEXT_PART and event.text == BREAK:
            out += stream.open(item, kind)
        elif event.text:
            if stream.content is None or stream.content.kind != kind:
                out += stream.open(item, kind)
            out += stream.say(event.text)
        if event.signature is not None or event.redacted is not None:
            item.proof = proof(event.signature, event.redacted, self._upstream)
        elif item.proof is None and not self._own:
            item.proof = proof(None, None, self._upstream)
        return out

    def _call(self, event: ToolCall) -> bytes:
        part, out = self._numbers.number(event), b""
        item = self._calls.get(part)
        if item is None:
            kind = "function_call" if event.kind == "function" else "custom_tool_call"
            given = self._given(part)
            said = {"call_id": event.id or f"call_{self._response['id']}_{part}", "name": event.name or ""}
            out = self._begin() + self._prove(event.signature)
            start, item = self._stream.begin(kind, given.given if given is not None else {}, **said)
            self._calls[part] = item
            out += start
        return out + self._stream.argue(item, event.arguments) if event.arguments else out

    def _prove(self, signature: str | None) -> bytes:
        """A call has no place for a signature: it is that of the thinking before, which may have no words."""
        if signature is None:
            return b""
        out, item = b"", self._stream.item
        if item is None or item.kind != "reasoning" or item.proof != proof(None, None, self._upstream):
            out, item = self._stream.begin("reasoning", {})
        item.proof = proof(signature, None, self._upstream)
        return out

    def _cite(self, event: Citation) -> bytes:
        part, content = self._numbers.number(event), self._stream.content
        if self._open != (part, "output_text") or content is None:
            return self._drop("citation")
        said = content.cite(event)
        return self._drop("citation") if said is None else self._stream.annotate(said)

    def _given(self, part: int) -> OpenItem | None:
        """What an upstream of this dialect said of the item of a part."""
        return self._reader.begun.get(part) if self._reader is not None else None

    def _name(self, model: str | None, created: int | None) -> None:
        self._response |= {"model": model} if model is not None else {}
        self._response |= {"created_at": created} if created is not None else {}

    def _whole(self, **changes: Any) -> Json:
        """The response, as its upstream says it where that speaks this dialect."""
        said = _told_once({**((self._reader and self._reader.response) or self._response), **changes})
        if self._reader is not None:
            for name in ("id", "previous_response_id"):
                if isinstance(given := said.get(name), str):
                    said[name] = self._told(given)
        return said

    def _ended(self, output: Sequence[Any]) -> Json:
        return self._whole(**self._status(), output=output, usage=tokens(self._usage, own=self._own))

    def _status(self) -> Json:
        finish = self._finish
        if not self._own or finish is None or finish.native is None:
            return ended(finish, refused=self._refused)
        if finish.native == "completed":
            return {"status": "completed", "incomplete_details": None}
        return {"status": "incomplete", "incomplete_details": {"reason": finish.native}}

    def _drop(self, kind: str) -> bytes:
        self.dropped[kind] = self.dropped.get(kind, 0) + 1
        return b""


def _told_once(response: Json) -> Json:
    """The response without the text that libraries, and some proxies, put beside its items: no step has seen it."""
    return {name: value for name, value in response.items() if name != "output_text"}
