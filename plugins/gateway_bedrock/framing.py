"""Amazon's event stream: binary messages with two checksums each; bytes in, frames out, wherever the reads split.

total length  headers length  CRC of these eight  | headers | payload | CRC of all before
4 bytes       4 bytes         4 bytes                                   4 bytes
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zlib import crc32

from gateway.events import Frame, FrameTooLarge
from gateway.wire.sse import EVENT_LIMIT

_PRELUDE: Final = 12
_CRC: Final = 4
_SIZES: Final[Mapping[int, int]] = MappingProxyType({0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16})
"""Bytes of a header's value, by its type."""


class BrokenMessage(ValueError):
    """The bytes are no message: a checksum or a length is wrong."""


class StreamMessage(Frame):
    """One message; `name` is the kind of its event, exception or error, `message_type` which of the three it is.

    Where the stream is broken, `broken` says how, and nothing else is known.
    """

    __slots__ = ("broken", "message_type", "text")

    def __init__(self, raw: bytes, payload: bytes | None, headers: Mapping[str, str], broken: str = "") -> None:
        self.message_type = headers.get(":message-type", "")
        kind = {"exception": ":exception-type", "error": ":error-code"}.get(self.message_type, ":event-type")
        super().__init__(raw, payload, headers.get(kind))
        self.text = headers.get(":error-message", "")
        """What an error says; it has no payload."""
        self.broken = broken


class EventStream:
    """Cuts an `application/vnd.amazon.eventstream` into whole messages; a partial one waits.

    After bytes that are no message nothing can be trusted: a last frame says so, and what follows is ignored.
    """

    __slots__ = ("_broken", "_lenient", "_limit", "_pending", "_too_large")

    def __init__(self, *, lenient: bool = False, limit: int = EVENT_LIMIT) -> None:
        self._lenient = lenient
        self._limit = limit
        self._pending = bytearray()
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
            frames.append(StreamMessage(b"", None, {}, str(error)))
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
        if crc32(pending[:8]) != _number(pending[8:12]):
            raise BrokenMessage("the checksum of a message's prelude is wrong")
        total, headers = _number(pending[:4]), _number(pending[4:8])
        if total < _PRELUDE + headers + _CRC:
            raise BrokenMessage("a message is shorter than its headers")
        if total > self._limit:
            raise FrameTooLarge(self._limit)
        return total

    def _message(self, raw: bytes) -> StreamMessage:
        if crc32(raw[:-_CRC]) != _number(raw[-_CRC:]):
            raise BrokenMessage("the checksum of a message is wrong")
        end = _PRELUDE + _number(raw[4:8])
        payload = raw[end:-_CRC]
        if self._lenient and not payload.isascii():
            payload = payload.decode("utf-8", "replace").encode()
        return StreamMessage(raw, payload, _texts(raw[_PRELUDE:end]))


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


def _number(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "big")
