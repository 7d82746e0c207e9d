"""The numbers of one worker, in memory that others can read and that outlives it."""

import errno
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from gateway_metrics.catalog import UNRECORDED, Metric

_KEYS: Final = 512 * 1024
"""Bytes for the names of series, about 6,000."""
_SLOTS: Final = 32 * 1024
"""Numbers of one worker, such as 1,500 histograms."""
_LOST: Final = 0
_SIZE: Final = _KEYS + 8 * _SLOTS
_PIECE: Final = 64 * 1024

Key: TypeAlias = tuple[str, ...]
"""A series: the metric's name, then its labels' values."""
Totals: TypeAlias = dict[Key, list[float]]


class Tally:
    """Counts up; with a path in a file that is made in its full size, so that a full disk or SIGKILL loses nothing.

    The file begins with one line for each series, how many numbers it has and whose they are; behind them stand the
    numbers in the same order. To count is to store into memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._map = mmap.mmap(-1, _SIZE)
        else:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                # Written, and not only made longer: a hole that the disk has no room for would kill the process.
                # In pieces: what is written at once the kernel may keep, and map, as one, however little is used of it.
                zeros = bytes(_PIECE)
                for _ in range(_SIZE // _PIECE):
                    if os.write(handle, zeros) < _PIECE:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self._map = mmap.mmap(handle, _SIZE)
            finally:
                os.close(handle)
        self.values = memoryview(self._map)[_KEYS:].cast("d")
        """The numbers, each at the place of its series: to count is to add one there."""
        self._slots: dict[Key, int] = {}
        self._named = 0
        self._free = 0
        self.series(UNRECORDED, ())  # the first: its slot is `_LOST`

    def series(self, metric: Metric, labels: Key) -> int:
        """The place of a series, to be asked for once and kept; where there is no room it is that of lost numbers."""
        key = (metric.name, *labels)
        slot = self._slots.get(key)
        return self._new(metric, key) if slot is None else slot

    def observe(self, series: int, metric: Metric, value: float) -> None:
        """Put a value into a histogram's bucket, or add it to a summary."""
        values = self.values
        if series == _LOST:
            values[_LOST] += 1
            return
        values[series + bisect_left(metric.buckets, value)] += 1
        values[series + metric.width - 1] += value

    def observe_each(self, summaries: Sequence[int], values: Iterable[float]) -> None:
        """Add each value to the summary that has its place."""
        numbers = self.values
        for series, value in zip(summaries, values, strict=True):
            numbers[series] += 1
            if series != _LOST:
                numbers[series + 1] += value

    def totals(self) -> Totals:
        """All numbers."""
        return _parsed(self._map[:])

    def close(self) -> None:
        """Release the memory; the file stays."""
        self.values.release()
        self._map.close()

    def _new(self, metric: Metric, key: Key) -> int:
        line = msgspec.json.encode((metric.width, *key)) + b"\n"
        end = self._named + len(line)
        if end >= _KEYS or self._free + metric.width > _SLOTS:
            return _LOST
        self._map[self._named : end] = line
        self._named = end
        slot = self._slots[key] = self._free
        self._free += metric.width
        return slot


def read_totals(path: Path) -> Totals:
    """The numbers of another worker, also of one that is no more."""
    return _parsed(path.read_bytes())


def _parsed(content: bytes) -> Totals:
    found: Totals = {}
    slot = 0
    if len(content) < _SIZE:
        return found  # whoever made it was killed meanwhile
    with memoryview(content)[_KEYS:].cast("d") as values:
        # What stands behind the last line's end is a line that is just being written, or nothing.
        for line in content[: content.index(0)].split(b"\n")[:-1]:
            width, *key = msgspec.json.decode(line)
            found[tuple(key)] = list(values[slot : slot + width])
            slot += width
    return found


def sum_up(parts: Iterable[Totals]) -> Totals:
    """All of them together; of a series that two versions count differently only the first counts."""
    found: Totals = {}
    for part in parts:
        for key, numbers in part.items():
            have = found.get(key)
            if have is None:
                found[key] = list(numbers)
            elif len(have) == len(numbers):
                found[key] = [one + other for one, other in zip(have, numbers, strict=True)]
    return found
