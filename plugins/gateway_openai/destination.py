"""Where a model's requests go and what they carry: one place for both lanes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gateway import Attempt, ChatRequest, Model, UpstreamDialect, __version__
from gateway.errors import StaleConnection
from gateway.protocols import ByteStream, Egress
from gateway.providers.headers import merged, with_client
from gateway.providers.vendors import Vendor
from gateway.wire.chat import CHAT, LEGACY
from gateway.wire.plain import PLAIN
from gateway.wire.responses import KEPT, RESPONSES

ALSO: Final[Mapping[str, UpstreamDialect]] = MappingProxyType({d.name: d for d in (LEGACY, PLAIN, KEPT)})
"""The dialects besides chat completions, by name."""
_USER_AGENT: Final = f"litestar-gateway/{__version__}"
_HTTP_WHITE_SPACE: Final = "\t\n\r "
_PATHS: Final = {CHAT.name: "/chat/completions", RESPONSES.name: "/responses"}


class Destination:
    """One base URL with one credential, ready to be asked."""

    __slots__ = ("_base_url", "_egress", "_headers", "_vendor")

    def __init__(self, egress: Egress, model: Model, vendor: Vendor) -> None:
        self._egress = egress
        self._vendor = vendor
        # Joined as text, so that a query of the base URL stays where it was written: the original's client did so.
        self._base_url = (model.base_url or vendor.base_url).rstrip("/")
        self._headers = egress.prepared(
            (
                ("content-type", "application/json"),
                ("accept", "application/json"),
                ("user-agent", _USER_AGENT),
                ("authorization", f"Bearer {model.api_key.reveal()}".strip(_HTTP_WHITE_SPACE)),
            )
        )

    def dialect(self, request: ChatRequest, model: Model) -> UpstreamDialect:
        """What a request is written in, and its answer read: its own dialect where the upstream can, else chat."""
        if request.dialect != RESPONSES.name:
            return ALSO.get(request.dialect, CHAT)
        can = "responses" in model.capabilities or "responses" in self._vendor.capabilities
        return RESPONSES if can else CHAT

    async def send(self, request: ChatRequest, attempt: Attempt) -> ByteStream:
        """Send the request and return once the response's head is there, whatever its status but a redirect.

        Raises what `Egress.send` raises; a key or header that no HTTP header can hold is `UpstreamUnreachable`.
        """
        model, dialect = attempt.model, self.dialect(request, attempt.model)
        body = await self._egress.send(
            request.method,
            self._base_url + (_PATHS.get(dialect.name) or request.path),
            headers=merged(with_client(self._headers, request, dialect), model),
            body=self._written(request, model, dialect),
            tenant=model.tenant,
            timeouts=model.timeouts,
            fresh=_follows_a_stale_connection(attempt),
        )
        attempt.upstream_status = body.status
        return body

    def _written(self, request: ChatRequest, model: Model, dialect: UpstreamDialect) -> bytes:
        if dialect is CHAT:
            return self._vendor.write_chat(request, model)
        if dialect is RESPONSES:
            return self._vendor.write_responses(request, model)
        quirks = self._vendor.quirks_for(model, request.fields)
        return dialect.write_request(request, msgspec.structs.replace(model, quirks=quirks))


def _follows_a_stale_connection(attempt: Attempt) -> bool:
    """Whether the attempt before this one died with its pooled connection, so that this one must dial."""
    return attempt.number > 1 and isinstance(attempt.exchange.attempts[attempt.number - 2].error, StaleConnection)
