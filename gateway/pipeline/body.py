"""Reads a request's body, bounded."""

from gateway.errors import InvalidRequest, RequestTooLarge
from gateway.protocols import Receive, Scope


class ClientLeft(Exception):
    """The client closed its connection; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises `RequestTooLarge` as soon as that is known, `ClientLeft` when it will never be whole."""
    sent = dict(scope["headers"])
    if int(sent.get(b"content-length", b"0")) > limit:
        raise _too_large(limit)
    if b"content-encoding" in sent and any(_is_compressed(*header) for header in scope["headers"]):
        raise InvalidRequest("Compressed request bodies are not accepted; send the body without content-encoding.")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    pieces, size = [], 0
    while message["type"] == "http.request":
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()
    raise ClientLeft


def _is_compressed(name: bytes, value: bytes) -> bool:
    return name == b"content-encoding" and value.strip().lower() not in (b"", b"identity")


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes.")
