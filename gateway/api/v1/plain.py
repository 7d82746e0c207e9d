"""What is no chat under `/v1`: a request that carries a model passes to the model's upstream, its answer back."""

import re
from functools import partial
from typing import Any, Final

from litestar import Request, Response, post, route
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Scope

from gateway.api.v1.chat import ExchangeResponse, Serve, exchange_handler
from gateway.errors import UnknownUrl
from gateway.wire.messages import error_envelope
from gateway.wire.plain import PlainClient

_PASSED: Final = (
    "/embeddings",
    "/moderations",
    "/rerank",
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
)
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_SEGMENTS: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
_KEPT: Final = frozenset(
    {
        # surfaces of the gateway's own, with nothing below them
        *("chat", "completions", "messages", "models", "responses"),
        # what belongs to the operator's account upstream, or opens it: no virtual key's business
        *("admin", "api-keys", "api_keys", "assistants", "batches", "chatkit", "containers", "conversations"),
        *("credits", "evals", "files", "fine-tunes", "fine_tunes", "fine_tuning", "key", "keys", "organization"),
        *("organizations", "projects", "realtime", "skills", "threads", "uploads", "user", "users", "vector_stores"),
        *("webhooks", "workspaces"),
    }
)


def plain_handlers(serve: Serve) -> list[ASGIRouteHandler | HTTPRouteHandler]:
    """The known paths, `count_tokens`, and one handler for every other path below `/v1` that nobody serves."""
    known = [exchange_handler(f"/v1{path}", partial(_client, path), serve) for path in _PASSED]
    return [*known, exchange_handler("/v1/messages/count_tokens", _counting, serve), *_others(serve)]


def _others(serve: Serve) -> list[HTTPRouteHandler]:
    @route("/v1/{rest:path}", http_method=_METHODS, opt={"scope": "chat"})
    async def pass_on(request: Request[Any, Any, Any], rest: FromPath[str]) -> Response[None]:
        segments = rest.removeprefix("/").split("/")
        if request.method != "POST" or segments[0].lower() in _KEPT or not _SEGMENTS.fullmatch(rest):
            raise NotFoundException
        return ExchangeResponse(serve, _client(rest, request.scope, known=False))

    @post("/v1/models/{name:path}", opt={"scope": "chat"})
    async def refuse_gemini(name: FromPath[str]) -> None:
        if ":" not in name:
            raise MethodNotAllowedException
        raise UnknownUrl(
            f"Nothing is served at /v1/models{name}: that is Gemini's API. Models of every provider, Gemini's too, are"
            " asked by OpenAI's API (/v1/chat/completions) or by Anthropic's (/v1/messages)."
        )

    return [pass_on, refuse_gemini]


def _client(path: str, scope: Scope, *, known: bool = True) -> PlainClient:
    return PlainClient(path, content_type=_content_type(scope), known=known)


def _counting(scope: Scope) -> PlainClient:
    return PlainClient(
        "/messages/count_tokens", name="count_tokens", forwards=("anthropic-beta",), error=error_envelope
    )


def _content_type(scope: Scope) -> str:
    said = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return said.decode("latin-1")
