"""The one reader of what is sent to the control plane."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from gateway.errors import InvalidRequest

T = TypeVar("T", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request that has nothing to say."""


async def read_body(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The body as that struct; an empty one counts as `{}`.

    JSON only: what a page of another site may send unasked, a form or plain text, is refused.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidRequest("Send JSON: Content-Type must be application/json.", status=415)
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (ValueError, RecursionError) as error:  # of msgspec too
        raise InvalidRequest(f"The body cannot be used: {error}.") from error
