"""A plugin whose provider answers with what the context holds: everything but egress is the gateway's own."""

from bench.inside.feed import FEED
from gateway import Attempt, ByteUpstream, ChatProvider, ChatRequest, Model, hookimpl
from gateway.protocols import Provider, ProviderClient


class Fed(ChatProvider):
    """An upstream that speaks the chat dialect, without a connection."""

    name = "fed"

    def connect(self, model: Model) -> ProviderClient:
        """A client that asks nobody."""
        return _Client(self)


class _Client:
    def __init__(self, provider: Fed) -> None:
        self._provider = provider

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        """The request is written, as it would be for any upstream."""
        dialect = self._provider.spoken(request)
        dialect.write_request(request, attempt.model)
        return ByteUpstream(dialect, FEED.get())

    async def aclose(self) -> None:
        """Nothing is held."""


@hookimpl
def register_providers() -> list[Provider]:
    """The one."""
    return [Fed()]
