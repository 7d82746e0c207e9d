"""`POST /v1/chat/completions`, `/v1/messages`, `/v1/responses`: one exchange each, told apart by the dialect."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias, cast

from litestar import Response, asgi
from litestar.enums import ScopeType
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from gateway import protocols
from gateway.api.refusal import own_headers, refusal
from gateway.protocols import ClientDialect
from gateway.wire.chat import CHAT_CLIENT, LEGACY_CLIENT
from gateway.wire.messages import MESSAGES_CLIENT
from gateway.wire.responses import RESPONSES_CLIENT

Serve: TypeAlias = Callable[[Scope, Receive, Any, ClientDialect], Awaitable[None]]
_SURFACES: Final[tuple[tuple[str, ClientDialect], ...]] = (
    ("/v1/chat/completions", CHAT_CLIENT),
    ("/v1/completions", LEGACY_CLIENT),
    ("/v1/messages", MESSAGES_CLIENT),
    ("/v1/responses", RESPONSES_CLIENT),
)


def chat_handlers(serve: Serve) -> list[ASGIRouteHandler]:
    """The handlers of every surface that serves exchanges; `serve` is the pipeline's."""
    return [exchange_handler(path, partial(_same, dialect), serve) for path, dialect in _SURFACES]


def _same(dialect: ClientDialect, _: Scope) -> ClientDialect:
    return dialect


def exchange_handler(path: str, dialect: Callable[[Scope], ClientDialect], serve: Serve) -> ASGIRouteHandler:
    """A handler that serves exchanges in the dialect of each request, and tells other methods the right one."""

    @asgi(path, copy_scope=False, opt={"scope": "chat", "direct": True})
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            await _refuse_method(scope, send)
            return
        await serve(scope, receive, cast("protocols.Send", send), dialect(scope))

    return handle


class ExchangeResponse(Response[None]):
    """A response that the pipeline writes: for paths with parameters, which raw handlers cannot have."""

    def __init__(self, serve: Serve, dialect: ClientDialect) -> None:
        super().__init__(None)
        self._serve = serve
        self._dialect = dialect

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """What Litestar calls with the request's own `scope`, `receive` and `send`."""
        return self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, cast("protocols.Send", send), self._dialect)


async def _refuse_method(scope: Any, send: Any) -> None:
    answer = refusal(scope["path"], 405, f"{scope.get('method', 'This')} is not allowed at {scope['path']}.")
    headers = [
        (b"allow", b"POST"),
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    headers += [(name.encode(), value.encode()) for name, value in own_headers(scope).items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
