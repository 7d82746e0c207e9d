"""The headers of a request to an upstream: the provider's, and in their place those a model sets itself."""

from typing import Final

from gateway.domain import Model
from gateway.errors import Headers
from gateway.protocols import UpstreamDialect
from gateway.requests import ChatRequest

_NOT_FROM_A_MODEL: Final = frozenset(
    {
        # the message's own frame, and what ends at the next hop
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # what opens the doors of cloud metadata services
        "metadata",
        "metadata-flavor",
        "x-google-metadata-request",
    }
)
_NOT_FROM_A_MODEL_PREFIXES: Final = ("proxy-", "x-aws-ec2-metadata-", "x-metadata-")


def with_client(headers: Headers, request: ChatRequest, dialect: UpstreamDialect) -> Headers:
    """The headers with those the client's request brings in their place, where the upstream speaks its dialect."""
    if not request.headers or request.dialect != dialect.name:
        return headers
    brought = {name for name, _ in request.headers}
    return [*(header for header in headers if header[0] not in brought), *request.headers]


def merged(headers: Headers, model: Model) -> Headers:
    """The headers with the model's own in their place, minus those a model may not set."""
    if not model.headers:
        return headers
    own = {name.strip().lower(): value for name, value in model.headers.items()}
    allowed = [
        (name, value)
        for name, value in own.items()
        if name not in _NOT_FROM_A_MODEL and not name.startswith(_NOT_FROM_A_MODEL_PREFIXES)
    ]
    replaced = {name for name, _ in allowed}
    return [*(header for header in headers if header[0] not in replaced), *allowed]
