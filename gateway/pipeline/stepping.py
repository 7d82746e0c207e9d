"""Coroutines stepped in place: most never wait, and then need neither a task nor a clock."""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def resumed(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that was stepped once and now waits for a future; its result."""
    resume: Callable[[Any], Any]
    while True:
        try:
            value = yield waits_for
        except BaseException as error:  # noqa: BLE001 - handed on to the coroutine, cancellation included
            resume, argument = coroutine.throw, error
        else:
            resume, argument = coroutine.send, value
        try:
            waits_for = resume(argument)
        except StopIteration as done:
            result: T = done.value
            return result
