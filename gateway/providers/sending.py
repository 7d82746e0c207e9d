"""One request to an upstream, as every level of provider sends it."""

from gateway.domain import Attempt
from gateway.errors import Headers, StaleConnection, UpstreamError
from gateway.protocols import ByteStream, Egress
from gateway.wire.chat import advice
from gateway.wire.retry import retry_after, retryable

ERROR_BODY = 1 << 20
"""Bytes of an error answer that are kept."""


async def send(egress: Egress, method: str, url: str, headers: Headers, body: bytes, attempt: Attempt) -> ByteStream:
    """The response, once its head is there; raises `UpstreamError` for an error status.

    The attempt after one that died with its pooled connection dials anew.
    """
    model = attempt.model
    before = attempt.exchange.attempts[: attempt.number - 1]
    stream = await egress.send(
        method,
        url,
        headers=headers,
        body=body,
        tenant=model.tenant,
        timeouts=model.timeouts,
        fresh=bool(before) and isinstance(before[-1].error, StaleConnection),
    )
    attempt.upstream_status = stream.status
    if stream.status < 400:
        return stream
    try:
        content = await stream.read(ERROR_BODY)
    finally:
        stream.close()
    error = UpstreamError(
        stream.status,
        content,
        stream.headers,
        provider=model.provider,
        retry_after=retry_after(stream.headers),
        retryable=retryable(stream.status, stream.headers),
    )
    error.detail = advice(stream.status, content)
    raise error
