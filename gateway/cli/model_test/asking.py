"""Asks a model as a client would: the way of every call, only without a socket to the client."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.domain import Model, Principal
from gateway.errors import GatewayError, Headers, UpstreamError
from gateway.events import End, Event, Failure, Finish, Reasoning, Refusal, Text, ToolCall, Usage
from gateway.protocols import ABORT, ClientDialect
from gateway.requests import ChatRequest
from gateway.wire.chat import CHAT_PROMPTS

if TYPE_CHECKING:
    from gateway.pipeline import Pipeline

_QUESTION: Final = "Call the tool `answer` with the word ok. If there is no such tool, say ok."
_BARE: Final[Mapping[str, Any]] = {"messages": [{"role": "user", "content": _QUESTION}], "stream": True}
_TOOL: Final[Mapping[str, Any]] = {
    "type": "function",
    "function": {
        "name": "answer",
        "description": "Give the answer.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    },
}
_TRIES: Final[Sequence[Mapping[str, Any]]] = (
    {**_BARE, "temperature": 0, "stream_options": {"include_usage": True}, "max_tokens": 200, "tools": [_TOOL]},
    {**_BARE, "stream_options": {"include_usage": True}, "tools": [_TOOL]},
    {**_BARE, "tools": [_TOOL]},
    _BARE,
)
"""What is asked for, less each time: the next one only after an upstream that refused the request as it is."""
_REFUSED: Final = (400, 422)


class Heard:
    """What came back of one call."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.asked_tools = "tools" in fields
        self.asked_usage = "stream_options" in fields
        self.pieces = 0
        self.called = False
        self.usage: Usage | None = None
        self.ended = False
        self.failure: Failure | None = None
        self.error: GatewayError | None = None

    @property
    def refused(self) -> bool:
        """Whether the upstream did not take the request as it was, which costs nothing."""
        return isinstance(self.error, UpstreamError) and self.error.status in _REFUSED

    def note(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Text | Reasoning | Refusal | ToolCall):
            self.pieces += 1
            self.called = self.called or isinstance(event, ToolCall)
        elif isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Finish | End):
            self.ended = True


async def ask(pipeline: "Pipeline", model: Model, seconds: float) -> list[Heard]:
    """Call the model; more than one entry only where the upstream refused a request as it was."""
    heard: list[Heard] = []
    for fields in _TRIES:
        heard.append(await _exchange(pipeline, model, fields, seconds))
        if not heard[-1].refused:
            break
    return heard


async def _exchange(pipeline: "Pipeline", model: Model, fields: Mapping[str, Any], seconds: float) -> Heard:
    dialect = _Probe(model, fields)
    messages = iter([{"type": "http.request", "body": b""}])

    async def receive() -> Mapping[str, Any]:
        for message in messages:
            return message
        await asyncio.sleep(seconds)
        return {"type": "http.disconnect"}  # a client that has lost its patience: the upstream is closed

    async def send(message: Mapping[str, Any]) -> None:
        """What is written says nothing: the events were heard before."""

    caller = Principal(id="models-test", owner=model.owner)
    await pipeline.serve({"type": "http", "headers": []}, receive, send, dialect, anonymous=caller)
    return dialect.heard


class _Probe:
    """A client that says what it was made to say and keeps the events of the answer."""

    name: str = "models-test"
    headers: Headers = ()
    lenient: bool = False

    def __init__(self, model: Model, fields: Mapping[str, Any]) -> None:
        self._model = model
        self._fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
        self.heard = Heard(fields)

    def read_request(self, body: bytes) -> ChatRequest:
        """The request it was made with."""
        fields = {"model": msgspec.Raw(msgspec.json.encode(self._model.model_id)), **self._fields}
        return ChatRequest(dialect="chat", model=self._model.id, stream=True, fields=fields, codec=CHAT_PROMPTS)

    def writer(self, request: ChatRequest, upstream: str) -> "_Probe":
        """Itself."""
        return self

    def write(self, events: Sequence[Event]) -> bytes:
        """Keep what the events say."""
        for event in events:
            self.heard.note(event)
        return b""

    def failure(self, failure: Failure) -> bytes | None:
        """Keep what broke the answer."""
        self.heard.failure = failure
        return ABORT

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Keep what the call failed with."""
        self.heard.error = error
        return error.status, (), b""


if TYPE_CHECKING:
    _: type[ClientDialect] = _Probe
