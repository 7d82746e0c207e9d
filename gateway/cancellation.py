"""Whose a cancellation is: only who cancels a task ends what it does."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class StrayCancellation(RuntimeError):
    """What a plugin waited for was cancelled, and not by us: a failure like any other."""

    def __init__(self) -> None:
        super().__init__("what it waited for was cancelled")


def cancelled_by_us() -> bool:
    """Whether somebody has asked this task to end: else a cancellation came up from what a plugin waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextmanager
def strays_as_errors() -> Iterator[None]:
    """Within it, a cancellation that nobody asked this task for is `StrayCancellation`."""
    try:
        yield
    except asyncio.CancelledError as error:
        if cancelled_by_us():
            raise
        raise StrayCancellation from error
