"""Newline-delimited JSON: bytes in, frames out, wherever the reads split."""

from typing import Final

from gateway.events import Frame, FrameTooLarge
from gateway.wire.sse import EVENT_LIMIT

_LF: Final = 10


class Lines:
    """Cuts `application/x-ndjson` into frames, one for each line that is not blank; a partial line waits."""

    __slots__ = ("_lenient", "_limit", "_pending", "_too_large")

    def __init__(self, *, lenient: bool = False, limit: int = EVENT_LIMIT) -> None:
        self._lenient = lenient
        self._limit = limit
        self._pending = bytearray()
        self._too_large = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completed. Raises `FrameTooLarge` when a line exceeds the limit."""
        self._check()
        self._pending += data
        if _LF not in data:
            self._too_large = len(self._pending) > self._limit
            self._check()
            return []
        *lines, rest = bytes(self._pending).split(b"\n")
        self._pending = bytearray(rest)
        frames: list[Frame] = []
        for line in lines:
            if len(line) >= self._limit:
                self._too_large = True
                break
            if line.strip():
                frames.append(self._frame(line + b"\n", line))
        self._too_large = self._too_large or len(rest) > self._limit
        if not frames:
            self._check()
        return frames

    def end(self) -> list[Frame]:
        """The last line of a complete HTTP message, which needs no line end."""
        self._check()
        line = bytes(self._pending)
        self._pending.clear()
        return [self._frame(line, line)] if line.strip() else []

    def _check(self) -> None:
        if self._too_large:
            raise FrameTooLarge(self._limit)

    def _frame(self, raw: bytes, line: bytes) -> Frame:
        if self._lenient and not line.isascii():
            line = line.decode("utf-8", "replace").encode()
        return Frame(raw, line)
