"""What a supervisor and its workers say to each other, each pair over a pipe of its own.

Signals come from outside only: one that is passed on cannot be told from one that a whole group was sent, and kills a
process that has only just begun.
"""

import asyncio
from collections.abc import Callable, Iterator
from enum import Enum, auto
from multiprocessing.connection import Connection


class Word(Enum):
    """All that can be said; some with a text."""

    # Of workers.
    READY = auto()
    """It serves, with everything that an exchange needs."""
    UNREADY = auto()
    """It serves, and what it lacks."""
    END = auto()
    """Somebody told it alone to end."""

    # Of the supervisor.
    STOP = auto()
    """Drain, and listen on: whoever asks is told so."""
    LEAVE = auto()
    """Serve those who are connected to a last answer, and end: others serve on."""
    HURRY = auto()
    """End what runs, visibly, and then end."""


def heard(pipe: Connection) -> Iterator[tuple[Word, str]]:
    """What was said and not heard yet; raises `EOFError` after the last when nobody is there any more."""
    try:
        while pipe.poll():
            yield pipe.recv()
    except OSError as error:
        raise EOFError from error


class Link:
    """A worker's end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def open(self, obey: Callable[[Word], None]) -> None:
        """Hand on what the supervisor says, from now on; its end is like the order to stop."""
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._listen, obey)

    def say(self, word: Word, text: str = "") -> bool:
        """Say something; whether there was somebody to say it to."""
        try:
            self._pipe.send((word, text))
        except OSError:
            return False
        return True

    def _listen(self, obey: Callable[[Word], None]) -> None:
        try:
            for word, _ in heard(self._pipe):
                obey(word)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            obey(Word.STOP)
