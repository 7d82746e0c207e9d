"""Failures in the SDK's own exception classes. Imports the SDK: load it with `gateway_openai.library` first."""

import json
from collections.abc import Mapping
from typing import Final

import httpx2
import openai

from gateway import UpstreamFault, UpstreamTimeout
from gateway.errors import Headers, UpstreamConnectTimeout, UpstreamReset

PLACEHOLDER: Final = "http://model.invalid/v1"
"""The only base URL the SDK ever sees: it would rewrite the real one, and must not print it."""

_BY_STATUS: Final[Mapping[int, type[openai.APIStatusError]]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
# Encoded bodies never pass egress, and a client's cookie jar must not fill up.
_NOT_FOR_THE_SDK: Final = frozenset({"content-encoding", "content-length", "set-cookie", "transfer-encoding"})


def response(
    status: int, headers: Headers, *, request: httpx2.Request, content: bytes | httpx2.AsyncByteStream
) -> httpx2.Response:
    """The answer as the SDK knows answers; a whole body or a stream that nobody has read."""
    pairs = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in headers
        if name not in _NOT_FOR_THE_SDK
    ]
    if isinstance(content, bytes):
        answer = httpx2.Response(status, headers=pairs, content=content, request=request)
        answer.encoding = "utf-8"  # as every JSON is; some charsets a content type names refuse some bytes
        return answer
    return httpx2.Response(status, headers=pairs, stream=content, request=request)


def status_failure(status: int, headers: Headers, content: bytes) -> openai.APIStatusError:
    """What the SDK raises for an answer with this status."""
    answer = response(status, headers, request=_request(), content=content)
    kind = _BY_STATUS.get(status, openai.InternalServerError if status >= 500 else openai.APIStatusError)
    text = answer.text.strip()
    body: object = text
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        pass
    error = body.get("error", body) if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    message = f"Error code: {status} - {said}" if isinstance(said, str) and said else f"Error code: {status}"
    return kind(message, response=answer, body=error if isinstance(body, dict) else body)


def connection_failure(error: UpstreamFault) -> openai.APIConnectionError:
    """What the SDK raises when no answer came; raise it `from` the error."""
    if isinstance(error, UpstreamTimeout):
        return openai.APITimeoutError(request=_request())
    return openai.APIConnectionError(request=_request())


def transport_failure(error: UpstreamFault) -> httpx2.TransportError:
    """What a transport raises so that the SDK raises the same as `connection_failure`; raise it `from` the error."""
    if isinstance(error, UpstreamConnectTimeout):
        return httpx2.ConnectTimeout(error.message)
    if isinstance(error, UpstreamTimeout):
        return httpx2.ReadTimeout(error.message)
    if isinstance(error, UpstreamReset):
        return httpx2.ReadError(error.message)
    return httpx2.ConnectError(error.message)


def _request() -> httpx2.Request:
    return httpx2.Request("POST", f"{PLACEHOLDER}/chat/completions")
