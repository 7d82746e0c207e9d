"""Notes that are in no journal yet, where the end of the process does not reach them."""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias
from zlib import crc32

SIZE: Final = 1 << 20
"""Bytes of one of the two halves: a thousand notes and more wait for one commit."""
_PIECE: Final = 64 * 1024
"""What is written at once the kernel may keep, and map, as one: of the file comes into memory what is used of it."""
_OFFSET: Final = struct.Struct("<Q")
_CHECKSUM: Final = 8


class _Half:
    """A run of entries; those before `posted` are in the journal. Each is a checksum, a space, the note, a newline."""

    def __init__(self, start: int, size: int) -> None:
        self.start = start
        self.first = self.posted = self.end = start + _OFFSET.size
        self.limit = start + size


Place: TypeAlias = tuple[_Half, int]
"""How far a half is filled."""


class Daybook:
    """A mapped file: a note is a copy of memory, waits for nothing, and is there after `kill -9`: the kernel has it.

    It is not there after the loss of power; that is what the journal's commits are for. Notes are taken by one thread
    and posted by another. Two halves take turns, so that a slow commit finds the other one free.
    """

    def __init__(self, path: Path, size: int = SIZE) -> None:
        """Make the file. Raises `OSError` where there is no room: it is written whole, so that none lacks later."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            left = 2 * size
            zeros = memoryview(bytes(_PIECE))
            while left:
                left -= os.write(descriptor, zeros[:left])
            self._map = mmap.mmap(descriptor, 2 * size)
        finally:
            os.close(descriptor)
        self._half, self._other = _Half(0, size), _Half(size, size)

    def note(self, note: bytes) -> Place | None:
        """Keep it; None where both halves are full of what was not posted."""
        entry = b"%08x %b\n\0" % (crc32(note), note)
        half = self._half
        at = half.end
        end = at + len(entry)
        if at == half.posted or end > half.limit:
            return self._begin(entry)
        self._map[at:end] = entry  # over the zero that ended the last one
        half.end = end = end - 1
        return half, end

    def post(self, place: Place) -> None:
        """Everything noted in that half up to there is in the journal."""
        half, end = place
        self._tell(half, end)
        half.posted = end  # from now on the half may be begun anew, and then told so by the other thread

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def _begin(self, entry: bytes) -> Place | None:
        """Put it first into a half of which all is posted: this one, if it can be, else the other."""
        half = self._half
        if half.end != half.posted:
            half, self._other = self._other, half
            self._half = half
            if half.end != half.posted:
                return None
        at = half.first
        end = at + len(entry)
        if end > half.limit:
            return None
        # Nobody reads it here before the offset says so: what was posted is never read again.
        self._map[at:end] = entry
        self._tell(half, at)
        half.posted = at
        half.end = end = end - 1
        return half, end

    def _tell(self, half: _Half, posted: int) -> None:
        _OFFSET.pack_into(self._map, half.start, posted)


def unposted(path: Path) -> list[bytes]:
    """What the daybook of a process that has ended holds and no journal does, in no order. It may not exist."""
    try:
        book = path.read_bytes()
    except FileNotFoundError:
        return []
    size = len(book) // 2
    return [note for start in (0, size) for note in _entries(book[start : start + size], start)]


def _entries(half: bytes, start: int) -> Iterator[bytes]:
    if len(half) < _OFFSET.size:  # killed while it was made
        return
    at = max(_OFFSET.unpack_from(half)[0] - start, _OFFSET.size)
    while (end := half.find(b"\n", at)) > 0:
        checksum, note = half[at : at + _CHECKSUM], half[at + _CHECKSUM + 1 : end]
        if checksum != b"%08x" % crc32(note):
            return  # the end; or an entry that was being made
        yield note
        at = end + 1
