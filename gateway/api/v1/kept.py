"""`/v1/responses/{id}` and below: answers that an upstream keeps, for those who were told their ids."""

from typing import Any, Final

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Method

from gateway.api.v1.chat import ExchangeResponse, Serve
from gateway.wire.responses import KeptClient

_SURFACES: Final[tuple[tuple[str, list[Method]], ...]] = (
    ("", ["GET", "DELETE"]),
    ("/input_items", ["GET"]),
    ("/cancel", ["POST"]),
)
"""What may be done with an answer, by what the path says behind its id."""


def kept_handlers(serve: Serve) -> list[HTTPRouteHandler]:
    """The handlers of answers that are kept."""
    return [_handler(rest, methods, serve) for rest, methods in _SURFACES]


def _handler(rest: str, methods: list[Method], serve: Serve) -> HTTPRouteHandler:
    @route(f"/v1/responses/{{answer:str}}{rest}", http_method=methods, opt={"scope": "chat"})
    async def handle(request: Request[Any, Any, Any], answer: FromPath[str]) -> Response[None]:
        query = request.scope["query_string"].decode("latin-1")
        return ExchangeResponse(serve, KeptClient(answer, request.method, rest=rest, query=query))

    return handle
