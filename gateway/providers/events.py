"""Providers that speak events: one async generator."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.domain import Attempt, Model
from gateway.errors import Headers, UpstreamBroken
from gateway.events import Event, Failure
from gateway.protocols import ByteStream, Egress, EventUpstream, Gateway, Provider, ProviderClient
from gateway.providers.headers import merged
from gateway.providers.pull import Pull
from gateway.providers.sending import send
from gateway.requests import ChatRequest

LINE = 1 << 20
"""Bytes of one line: as much as one event may have."""


class EventProvider:
    """A provider for any API: set `name` and write `stream`.

    A generator that returns without `Finish` or `End` is a cut stream: it cannot end one cleanly by accident.
    """

    name: str
    base_url = ""
    """Where models without a base URL of their own are asked."""
    _egress: Egress

    def bind(self, gateway: Gateway) -> None:
        """Called once, when the provider is registered."""
        self._egress = gateway.egress

    def headers(self, model: Model) -> Headers:
        """What every request carries; the model's own headers come on top."""
        return (("authorization", f"Bearer {model.api_key.reveal()}".strip()),)

    def stream(self, request: ChatRequest, attempt: "UpstreamCall") -> AsyncIterator[Event]:
        """The answer's events, in order; write it as `async def` with `yield`. Required."""
        raise TypeError(f"the provider '{self.name}' has no method 'stream'")

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential."""
        return _Client(self, self._egress)


class UpstreamCall:
    """One attempt, and the way to its upstream."""

    def __init__(self, provider: EventProvider, egress: Egress, attempt: Attempt) -> None:
        self._provider = provider
        self._egress = egress
        self._attempt = attempt

    @property
    def model(self) -> Model:
        """The model that is called."""
        return self._attempt.model

    @asynccontextmanager
    async def post(
        self, path: str, *, json: Any = None, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> "AsyncIterator[EventResponse]":
        """POST to the base URL + `path`; raises `UpstreamError` for an error answer. The response closes by itself."""
        model = self.model
        content = msgspec.json.encode(json) if json is not None else body
        own = {"content-type": "application/json", **dict(self._provider.headers(model))}
        url = (model.base_url or self._provider.base_url).rstrip("/") + path
        all_headers = tuple({**dict(merged(tuple(own.items()), model)), **(headers or {})}.items())
        stream = await send(self._egress, "POST", url, all_headers, content, self._attempt)
        try:
            yield EventResponse(stream)
        finally:
            stream.close()


class EventResponse:
    """A response whose head has arrived; take its body once."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.status = stream.status
        self.headers = stream.headers

    async def read(self, limit: int = LINE) -> bytes:
        """The whole body."""
        return await self._stream.read(limit)

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        return Pull(self._stream).pieces()

    async def lines(self) -> AsyncIterator[bytes]:
        """The body's lines without their ends, as they arrive; empty lines are left out."""
        rest = b""
        async for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line := line.removesuffix(b"\r"):
                    yield line
            if len(rest) > LINE:
                message = "The upstream sent a line that is too long."
                raise UpstreamBroken(Failure(code="event_too_large", message=message))
        if rest := rest.removesuffix(b"\r"):
            yield rest


class _Client:
    def __init__(self, provider: EventProvider, egress: Egress) -> None:
        self._provider = provider
        self._egress = egress

    async def open(self, request: ChatRequest, attempt: Attempt) -> EventUpstream:
        return EventUpstream(self._provider.stream(request, UpstreamCall(self._provider, self._egress, attempt)))

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""


if TYPE_CHECKING:
    _: type[Provider] = EventProvider
