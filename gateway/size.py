"""How many tokens a request takes, estimated: nobody but the upstream has its tokenizer.

A token is taken for four bytes of UTF-8 text, whatever the language; each message costs four more, each picture, sound
or document a thousand, tools their JSON. Code and rare scripts take more tokens than that, so it may be a quarter off.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.domain import Model
from gateway.errors import InvalidRequest
from gateway.prompt import MediaPart, Part, Prompt, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from gateway.requests import ChatRequest

_BYTES: Final = 4
_MESSAGE: Final = 4
_MEDIA: Final = 1000
ASKED: Final = ("messages", "system", "tools", "functions", "input", "instructions", "prompt", "documents")
"""The fields, of any dialect, that a model reads; a few that only steer it are left out."""
_OUTPUT: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""How dialects call the most that is to be answered."""


class Size:
    """The size of one request, counted when it is asked for and only as far as needed."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._bytes = sum(len(memoryview(request.fields[name])) for name in ASKED if name in request.fields)
        self._tokens: int | None = None

    @property
    def tokens(self) -> int:
        """About how many tokens the model has to read."""
        if self._tokens is None:
            try:
                self._tokens = _prompt(self._request.prompt)
            except (InvalidRequest, TypeError):  # no chat, or one that the upstream shall judge
                self._tokens = -(-self._bytes // _BYTES)
        return self._tokens

    def fits(self, model: Model) -> bool:
        """Whether request and answer fit into the model's context; an unknown length takes everything."""
        if not model.context_length:
            return True
        room = model.context_length - self.output(model)
        # No tokenizer makes more tokens than bytes, nearly: most requests are small enough not to be read.
        return self._bytes <= room or self.tokens <= room

    def output(self, model: Model) -> int:
        """The most tokens that may be answered, as far as the request or the model's parameters say."""
        return _most(self._request.fields) or _most(model.parameters)


def _most(fields: Mapping[str, Any]) -> int:
    for name in _OUTPUT:
        value = fields.get(name)
        if isinstance(value, msgspec.Raw):
            try:
                value = msgspec.json.decode(value)
            except msgspec.DecodeError:
                continue
        if isinstance(value, int) and not isinstance(value, bool):
            return max(0, value)
    return 0


def _prompt(prompt: Prompt) -> int:
    count = sum(map(_part, prompt.system)) + sum(
        _MESSAGE + sum(map(_part, message.parts)) for message in prompt.messages
    )
    return count + (_text(_json(prompt.tools)) if prompt.tools else 0)


def _part(part: Part) -> int:
    match part:
        case TextPart() | ReasoningPart():
            return _text(part.text)
        case MediaPart():
            return _MEDIA
        case ToolCallPart():
            return _text(part.name) + _text(part.arguments)
        case ToolResultPart():
            return sum(map(_part, part.parts))
        case _:
            return _text(_json(part.value))


def _text(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
