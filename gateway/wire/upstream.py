"""What upstreams say, read with care: they may say anything, anywhere."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.events import Failure, Frame
from gateway.wire.json import decode_value
from gateway.wire.unicode import well_formed

ERRORS: Final = range(400, 600)
"""The statuses that are errors."""


class Malformed(ValueError):
    """The data is nothing that an upstream of this dialect may send."""


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object, lone surrogates included; raises `Malformed`."""
    try:
        value = decode_value(data.decode().encode())
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def reported(error: Any, status: int, *, source: Frame | None = None) -> Failure:
    """The failure that an upstream's `error` is: its `message` where it is an object that has one, else itself."""
    message = error.get("message", error) if isinstance(error, dict) else error
    return Failure(
        code="upstream_error",
        message=well_formed(message) if isinstance(message, str) and message else "The upstream reported an error.",
        status=status,
        retryable=status in (408, 409, 429) or status >= 500,
        native=error,
        source=source,
    )


def object_of(value: Any) -> Mapping[str, Any]:
    """The object itself; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def object_in(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name; an empty one where there is none."""
    return object_of(said.get(name))


def words_of(value: Any) -> str | None:
    """The text itself, without halves of characters; None for anything else."""
    return well_formed(value) if isinstance(value, str) else None


def count_of(value: Any) -> int | None:
    """A whole number that is not negative; None for anything else."""
    return value if type(value) is int and value >= 0 else None
