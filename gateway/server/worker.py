"""A serving process as its supervisor sees it."""

import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final, TypeAlias

from gateway.server.link import Word, heard

Work: TypeAlias = Callable[[socket.socket, Connection], None]
SILENT: Final = "it has not come so far as to serve"
"""Why a new worker is not ready, until it says so itself."""


class Worker:
    """One serving process, as its supervisor knows it."""

    def __init__(self, work: Work, listener: socket.socket, *, is_first: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=work, args=(listener, theirs))
        self.is_first = is_first
        """It replaces no other."""
        self.began = time.monotonic()
        self.unready = SILENT
        """Why it is not ready; empty once it has said that it is."""
        self.outdated = False
        """It is to leave as soon as another one is ready in its place."""
        self.leaving = False
        """It was told to leave, and does not count any more."""
        self.is_heard = True
        """Its end of the pipe is open; one that ends may close it long before it has ended."""
        self.process.start()
        theirs.close()

    def heard(self) -> Iterator[tuple[Word, str]]:
        """What it has said since."""
        try:
            yield from heard(self.pipe)
        except EOFError:
            self.is_heard = False

    def order(self, word: Word) -> None:
        """Say something to it; one that is dead is told by its end."""
        with suppress(OSError):
            self.pipe.send((word, ""))

    def leave(self) -> None:
        """Let it answer those who are connected, and end; it does not count any more."""
        self.leaving = True
        self.order(Word.LEAVE)

    def stop(self) -> None:
        """Let it drain and end."""
        self.order(Word.STOP)
        if self.unready is SILENT:
            self.process.terminate()  # it would hear only once it serves; when it does by now, it asks what to do
