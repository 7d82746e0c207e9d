"""Signals as something to wait for: read one after the other, between two steps and never within one."""

import atexit
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Final, Self, TypeAlias

from gateway.server.ending import Ending, Insistence

ENDS: Final = (signal.SIGINT, signal.SIGTERM)
"""What ends a server."""
RESTARTS: Final[int | None] = getattr(signal, "SIGUSR2", None)
"""What replaces workers; None where there is no such signal."""


def takes_hangups() -> bool:
    """Whether SIGHUP reloads: it does not exist everywhere, and `nohup` asks to ignore it."""
    return hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


def let_go(before: Mapping[int, Handler], insistence: Insistence) -> None:
    """After serving: these have their handlers of before again, but for what ends servers, to the end of the process.

    That ends nothing any more, unless somebody insists, and changes no exit code. The interpreter gives its handlers up
    long before it has ended, and would die of a signal then; one that is ignored it leaves alone.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if insistence.again() is Ending.NOW:
            os._exit(128 + number)

    for number, handler in before.items():
        signal.signal(number, end if number in ENDS else handler)
    atexit.register(_ignore)


def _ignore() -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


class Signals:
    """A context within which these signals do nothing but become readable; then they are `let_go`."""

    def __init__(self, numbers: Iterable[int], insistence: Insistence) -> None:
        self._numbers = numbers
        self._insistence = insistence

    def fileno(self) -> int:
        """Readable when there are some to `read`."""
        return self._reader.fileno()

    def read(self) -> bytes:
        """The numbers that came since."""
        try:
            return self._reader.recv(4096)
        except BlockingIOError:
            return b""

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._woken = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _pass) for number in self._numbers}
        return self

    def __exit__(self, *_: object) -> None:
        let_go(self._before, self._insistence)
        signal.set_wakeup_fd(self._woken)
        self._reader.close()
        self._writer.close()


def _pass(number: int, frame: FrameType | None) -> None:
    """Python writes the number to where it is read."""
