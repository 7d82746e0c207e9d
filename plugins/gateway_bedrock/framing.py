"""Amazon's event stream: binary messages with two checksums each; bytes in, frames out, wherever the reads split.

total length  headers length  CRC of these eight  | headers | payload | CRC of all before
4 bytes       4 bytes         4 bytes                                   4 bytes
"""

from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final, NamedTuple
from zlib import crc32

from gateway.events import Frame, FrameTooLarge
from gateway.wire.sse import EVENT_LIMIT

_PRELUDE: Final = 12
_CRC: Final = 4
_NUMBERS: Final = Struct(">III").unpack_from
_LAST_NUMBER: Final = Struct(">I").unpack_from
_MOST_HEADS: Final = 32
"""Different blocks of headers that are remembered: a stream has one for each kind of event."""
_SIZES: Final[Mapping[int, int]] = MappingProxyType({0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16})
"""Bytes of a header's value, by its type."""


class BrokenMessage(ValueError):
    """The bytes are no message: a checksum or a length is wrong."""


class _Head(NamedTuple):
    """What a message's headers say of it."""

    message_type: str = ""
    name: str | None = None
    text: str = ""


class StreamMessage(Frame, eq=False, gc=False):
    """One message; `name` is the kind of its event, exception or error, `message_type` which of the three it is.

    Where the stream is broken, `broken` says how, and nothing else is known.
    """

    message_type: str = ""
    text: str = ""
    """What an error says; it has no payload."""
    broken: str = ""


class EventStream:
    """Cuts an `application/vnd.amazon.eventstream` into whole messages; a partial one waits.

    After bytes that are no message nothing can be trusted: a last frame says so, and what follows is ignored.
    """

    __slots__ = ("_broken", "_heads", "_lenient", "_limit", "_pending", "_too_large")

    def __init__(self, *, lenient: bool = False, limit: int = EVENT_LIMIT) -> None:
        self._lenient = lenient
        self._limit = limit
        self._pending = bytearray()
        self._heads: dict[bytes, _Head] = {}
        """By their bytes: reading them costs more than all else."""
        self._broken = False
        self._too_large = False

    def feed(self, data: bytes) -> list[Frame]:
        """The messages that `data` completed. Raises `FrameTooLarge` when one exceeds the limit."""
        self._check()
        if self._broken:
            return []
        pending = self._pending
        pending += data
        frames: list[Frame] = []
        try:
            while (total := self._total()) and len(pending) >= total:
                raw = bytes(pending[:total])
                del pending[:total]
                frames.append(self._message(raw))
        except BrokenMessage as error:
            self._broken = True
            frames.append(StreamMessage(b"", None, broken=str(error)))
        except FrameTooLarge:
            self._too_large = True
            if not frames:
                raise
        return frames

    def end(self) -> list[Frame]:
        """Nothing: a message is whole or it is none."""
        self._check()
        return []

    def _check(self) -> None:
        if self._too_large:
            raise FrameTooLarge(self._limit)

    def _total(self) -> int:
        """The length of the pending message, 0 while its prelude is not there."""
        pending = self._pending
        if len(pending) < _PRELUDE:
            return 0
        total: int
        total, headers, checksum = _NUMBERS(pending)
        if crc32(pending[:8]) != checksum:
            raise BrokenMessage("the checksum of a message's prelude is wrong")
        if total < _PRELUDE + headers + _CRC:
            raise BrokenMessage("a message is shorter than its headers")
        if total > self._limit:
            raise FrameTooLarge(self._limit)
        return total

    def _message(self, raw: bytes) -> StreamMessage:
        if crc32(memoryview(raw)[:-_CRC]) != _LAST_NUMBER(raw, len(raw) - _CRC)[0]:
            raise BrokenMessage("the checksum of a message is wrong")
        end = _PRELUDE + _NUMBERS(raw)[1]
        payload = raw[end:-_CRC]
        if self._lenient and not payload.isascii():
            payload = payload.decode("utf-8", "replace").encode()
        block = raw[_PRELUDE:end]
        head = self._heads.get(block)
        if head is None:
            head = _head(block)
            if len(self._heads) < _MOST_HEADS:
                self._heads[block] = head
        return StreamMessage(raw, payload, head.name, head.message_type, head.text)


def _head(block: bytes) -> _Head:
    texts = _texts(block)
    message_type = texts.get(":message-type", "")
    kind = {"exception": ":exception-type", "error": ":error-code"}.get(message_type, ":event-type")
    return _Head(message_type, texts.get(kind), texts.get(":error-message", ""))


def _texts(block: bytes) -> dict[str, str]:
    """The headers whose values are texts."""
    texts: dict[str, str] = {}
    at = 0
    while at < len(block):
        name_end = at + 1 + block[at]
        name, kind = block[at + 1 : name_end], block[name_end : name_end + 1]
        start = name_end + 1
        if kind in (b"\x06", b"\x07"):
            size = _number(block[start : start + 2])
            start += 2
        else:
            size = _SIZES.get(kind[0], -1) if kind else -1
        at = start + size
        if size < 0 or at > len(block):
            raise BrokenMessage("a message's headers cannot be read")
        if kind == b"\x07":
            texts[name.decode("utf-8", "replace")] = block[start:at].decode("utf-8", "replace")
    return texts


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
