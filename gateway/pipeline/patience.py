"""A limit of time for what a task waits for."""

import asyncio
from types import TracebackType


class Patience:
    """Raises `TimeoutError` where the task still waits after so many seconds: `asyncio.timeout`, for half its price.

    What it leaves out is what nobody asks of it here: to be prolonged, to tell how it stands, to be told a time.
    """

    __slots__ = ("_before", "_over", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before, self._over = task, task.cancelling(), False
        self._timer = task.get_loop().call_later(self._seconds, self._end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Who else wants the task to end gets what they want.
        if self._over and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._over = True
        self._task.cancel()
