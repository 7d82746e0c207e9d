"""Providers that speak OpenAI's chat completions: data, no code."""

from types import MappingProxyType

from gateway.domain import Model, Quirks
from gateway.events import Event
from gateway.protocols import Framing, Reader, UpstreamDialect
from gateway.providers.dialect import DialectProvider
from gateway.requests import ChatRequest
from gateway.wire.chat import CHAT, LEGACY
from gateway.wire.plain import PLAIN


class ChatProvider(DialectProvider):
    """An OpenAI-compatible API: set `name`, `base_url` and what is different as `quirks`.

    class Acme(ChatProvider):
        name = "acme"
        base_url = "https://api.acme.ai/v1"
        quirks = Quirks(omit=frozenset({"logit_bias"}))
    """

    also = MappingProxyType({LEGACY.name: LEGACY, PLAIN.name: PLAIN})
    quirks = Quirks()
    """How it differs from OpenAI; a model's own quirks come on top."""

    def __init__(self) -> None:
        self.dialect: UpstreamDialect = CHAT if self.quirks == Quirks() else _Bent(self.quirks)


class _Bent:
    """The chat dialect with a provider's quirks."""

    name = CHAT.name

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks

    def framing(self, *, lenient: bool = False) -> Framing:
        return CHAT.framing(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> Reader:
        return CHAT.reader(lenient=lenient)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        return CHAT.read_answer(body, status)

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        return CHAT.write_request(request, model, lambda fields: model.quirks.over(self._quirks))
