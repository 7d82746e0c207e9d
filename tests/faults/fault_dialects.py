"""What upstreams of each dialect say: the same answer, "part" and "ial", in pieces that faults are put between.

`pieces_saying` puts another word in the place of "part", so that answers can be told apart.
"""

import json
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.testing import canned_messages


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in one dialect, and what can be wrong in it."""

    name: str
    text: bytes
    """All events up to the first content, which says "part"."""
    more: bytes
    """An event that says "ial"."""
    stop: bytes
    """The events that say the answer is finished."""
    done: bytes
    """What comes after them."""
    error: bytes
    """An error event that says "full"."""
    whole: bytes
    """The answer "partial" as one JSON object."""

    def saying(self, word: bytes) -> bytes:
        """The event that says "ial", with other bytes instead."""
        return self.more.replace(b"ial", word)

    def all(self) -> bytes:
        """The whole stream."""
        return self.text + self.more + self.stop + self.done


def _data(said: Any, name: str | None = None) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(said).encode() + b"\n\n"


def _chat(part: str) -> Pieces:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    message = {"role": "assistant", "content": part + "ial"}
    return Pieces(
        name="chat",
        text=chunk({"role": "assistant", "content": ""}) + chunk({"content": part}),
        more=chunk({"content": "ial"}),
        stop=chunk({}, "stop"),
        done=b"data: [DONE]\n\n",
        error=_data({"error": {"message": "full", "code": 503}}),
        whole=json.dumps({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode(),
    )


def _completions(part: str) -> Pieces:
    def chunk(text: str, finish: str | None = None) -> bytes:
        return _data({"id": "c", "model": "m", "choices": [{"index": 0, "text": text, "finish_reason": finish}]})

    choice = {"index": 0, "text": part + "ial", "finish_reason": "stop"}
    return Pieces(
        name="completions",
        text=chunk(part),
        more=chunk("ial"),
        stop=chunk("", "stop"),
        done=b"data: [DONE]\n\n",
        error=_data({"error": {"message": "full", "code": 503}}),
        whole=json.dumps({"id": "c", "choices": [choice]}).encode(),
    )


def _messages(part: str) -> Pieces:
    begin, first, ial, stop = canned_messages.text(part, "ial")
    delta, end = canned_messages.end()
    content = [{"type": "text", "text": part + "ial"}]
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return Pieces(
        name="messages",
        text=canned_messages.start() + begin + first,
        more=ial,
        stop=stop + delta,
        done=end,
        error=canned_messages.event("error", error={"type": "overloaded_error", "message": "full"}),
        whole=json.dumps({**whole, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}).encode(),
    )


def _responses(part: str) -> Pieces:
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    block = {"type": "output_text", "text": part + "ial", "annotations": [], "logprobs": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    error = {"code": "server_error", "message": "full"}

    def event(name: str, number: int, **said: Any) -> bytes:
        return _data({"type": name, "sequence_number": number, **said}, name)

    def response(status: str, *output: Any, **more: Any) -> dict[str, Any]:
        said = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, **more}
        return {**said, "output": list(output)}

    whole = response("completed", {**item, "content": [block]}, usage={"input_tokens": 1, "output_tokens": 1})
    return Pieces(
        name="responses",
        text=event("response.created", 0, response=response("in_progress"))
        + event("response.output_item.added", 1, output_index=0, item={**item, "content": []})
        + event("response.content_part.added", 2, **place, part={**block, "text": ""})
        + event("response.output_text.delta", 3, **place, delta=part),
        more=event("response.output_text.delta", 4, **place, delta="ial"),
        stop=event("response.output_text.done", 5, **place, text=part + "ial")
        + event("response.content_part.done", 6, **place, part=block)
        + event("response.output_item.done", 7, output_index=0, item={**item, "content": [block]})
        + event("response.completed", 8, response=whole),
        done=b"",
        error=event("response.failed", 4, response=response("failed", error=error)),
        whole=json.dumps(whole).encode(),
    )


def _plain(part: str) -> Pieces:
    """An answer that is no chat: there are only whole ones."""
    listed = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "note": part}
    whole = json.dumps({**listed, "model": "m"}).encode()
    return Pieces(name="plain", text=b"", more=b"", stop=b"", done=b"", error=b"", whole=whole)


_DIALECTS = MappingProxyType(
    {"chat": _chat, "completions": _completions, "messages": _messages, "responses": _responses, "plain": _plain}
)


def pieces_saying(dialect: str, part: str) -> Pieces:
    """An answer in that dialect with `part` in the place of "part"."""
    return _DIALECTS[dialect](part)


PIECES = {dialect: pieces_saying(dialect, "part") for dialect in _DIALECTS}
