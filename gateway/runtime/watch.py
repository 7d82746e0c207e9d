"""Run a plugin's code for a limited time: what does not return is told with the line where it hangs."""

import sys
import threading
from collections.abc import Callable
from traceback import extract_stack
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")
_MACHINERY = ("<frozen", __file__)
_LIBRARY = threading.__file__.removesuffix("threading.py")


class HangError(Exception):
    """A plugin's code did not return in time; the message says where it was."""


class _EndedError(SystemExit):
    """Raised inside code that took too long; nothing that catches `Exception` holds it back, and no thread tells it."""


class _Call(Generic[T]):
    """One call on a thread of its own, and what came of it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._result: list[T] = []
        self._error: BaseException | None = None
        # A daemon, so that code which never returns does not keep the process from ending.
        self.thread = threading.Thread(target=self._run, name="plugin start", daemon=True)

    def _run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who knows whose code it was
            self._error = error

    def result(self) -> T:
        if isinstance(self._error, KeyboardInterrupt):
            # Nobody pressed a key: signals reach the main thread, and this came from the plugin's code.
            raise RuntimeError("it raises KeyboardInterrupt") from self._error
        if self._error is not None:
            raise self._error
        return self._result[0]


def within(seconds: float, function: Callable[[], T]) -> T:
    """What `function` returns or raises; raises `HangError` when it takes longer than that.

    It runs on a thread of its own: code that waits in C for ever can be left behind in no other way. A loop in Python
    is ended, so that it does not take a processor from the others.
    """
    call = _Call(function)
    call.thread.start()
    call.thread.join(seconds)
    if not call.thread.is_alive():
        return call.result()
    place = _place(sys._current_frames().get(call.thread.ident or 0))
    import ctypes  # only where something hangs: half a megabyte

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(call.thread.ident or 0), ctypes.py_object(_EndedError))
    raise HangError(f"did not return within {seconds:g} seconds{place}")


def _place(frame: FrameType | None) -> str:
    """The innermost line of Python that is not the standard library's."""
    lines = [line for line in extract_stack(frame) if not line.filename.startswith(_MACHINERY)] if frame else []
    own = [line for line in lines if not line.filename.startswith(_LIBRARY) or "site-packages" in line.filename]
    if not (own or lines):
        return ""
    at = (own or lines)[-1]
    return f"; it hangs in {at.filename.replace(chr(92), '/').rpartition('/')[2]}, line {at.lineno}: {at.line}"
