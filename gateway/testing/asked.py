"""One request of a client of the `Bench` and what has become of it so far, as events instead of bytes."""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from gateway.domain import Attempt
from gateway.errors import GatewayError, Headers
from gateway.events import Event, Failure
from gateway.protocols import ClientDialect, Writer
from gateway.requests import ChatRequest
from gateway.testing.canned import Said, said
from gateway.wire.chat import CHAT_PROMPTS

PATIENCE = 5.0
"""Seconds that anything which should happen at once may take."""


class Asked:
    """A request under way. Look at it at any time; `until` and `ended` wait."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.fields_before = copy.deepcopy(dict(request.fields))
        self.events: list[Event] = []
        self.failure: Failure | None = None
        """How the answer broke after its first content."""
        self.refusal: GatewayError | None = None
        """The error that the client got instead of an answer."""
        self.raised: list[tuple[Exception, Attempt | None]] = []
        """What attempts ended with, before any error mapper of a plugin saw it."""
        self.complete = False
        """Whether the response was ended properly."""
        self.task: asyncio.Task[None]
        self._body: list[bytes] = [b"{}"]
        self._changed = asyncio.Event()
        self._left = asyncio.Event()

    @property
    def said(self) -> Said:
        """What the answer says so far."""
        return said(self.events)

    @property
    def error(self) -> GatewayError | None:
        """What the first attempt's failure is to the gateway, else what the client was refused with."""
        attempt = self.raised[0][1] if self.raised else None
        return (attempt.error if attempt else None) or self.refusal

    @property
    def problem(self) -> str:
        """Why the answer did not end well, in one sentence; empty when it did."""
        if (error := self.error) is not None:
            raised = self.raised[0][0] if self.raised else error
            said = f" ({type(raised).__name__}: {raised})" if raised is not error else ""
            return f"the answer failed: {type(error).__name__}: {error}{said}"
        if self.failure is not None:
            return f"the answer broke: {self.failure.code}: {self.failure.message}"
        return "" if self.complete else "the answer did not end"

    def leave(self) -> None:
        """The client closes its connection."""
        self._left.set()

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Wait until that holds; False when it did not in time, or never will because the exchange has ended."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    if self.task.done():
                        return condition()
                    await self._changed.wait()
        except TimeoutError:
            return condition()
        return True

    async def ended(self, seconds: float = PATIENCE) -> bool:
        """Wait for the end of the exchange; whether it came in time."""
        await asyncio.wait((self.task,), timeout=seconds)
        return self.task.done()

    def notice(self, *_: object) -> None:
        """Something has changed: whoever waits looks again."""
        self._changed.set()

    async def receive(self) -> dict[str, Any]:
        """The request's body, then nothing until the client leaves (ASGI)."""
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Take a piece of the response (ASGI)."""
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.complete = True
        self.notice()


class Surface:
    """The client dialect whose bytes say nothing: request, events and failures are those of an `Asked`."""

    name: str = "kit"
    headers: Headers = (("content-type", "text/plain"),)
    lenient: bool = False

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def read_request(self, body: bytes) -> ChatRequest:
        """The request it was asked with."""
        return self._asked.request

    def writer(self, request: ChatRequest, upstream: str) -> Self:
        """Itself: one surface serves one exchange."""
        return self

    def write(self, events: Sequence[Event]) -> bytes:
        """Keep the events."""
        self._asked.events += events
        self._asked.notice()
        return b"." * len(events)

    def failure(self, failure: Failure) -> bytes:
        """Keep the failure."""
        self._asked.failure = failure
        self._asked.notice()
        return b"!"

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Keep the error."""
        self._asked.refusal = error
        self._asked.notice()
        return error.status, (), b""


def chat_request(name: str, *, choices: int = 1, **fields: Any) -> ChatRequest:
    """A streaming chat request for the route of that name, with these fields besides the usual ones."""
    values = {"model": name, "messages": [{"role": "user", "content": "Hi"}], "stream": True, **fields}
    if choices > 1:
        values["n"] = choices
    raw = {key: v if isinstance(v, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(v)) for key, v in values.items()}
    return ChatRequest(dialect="chat", model=name, stream=True, fields=raw, choices=choices, codec=CHAT_PROMPTS)


if TYPE_CHECKING:
    _: type[ClientDialect] = Surface
    _writer: type[Writer] = Surface
