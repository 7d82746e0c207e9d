"""Looks for a secret wherever a plugin may have let it slip: errors, reprs, logs, standard output."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.testing.bench import Bench


class Evidence:
    """A context manager that takes notes; `found` says where the canary is."""

    def __init__(self, bench: Bench | None = None) -> None:
        self.canary = f"sk-canary-{os.urandom(12).hex()}"
        """A key that no plugin may show."""
        self._bench = bench
        self._texts: list[tuple[str, str]] = []
        self._printed = io.StringIO()
        self._stack = contextlib.ExitStack()

    def note(self, where: str, *things: object) -> None:
        """Remember what these say of themselves; exceptions with all that caused them."""
        for thing in things:
            for text in _texts(thing):
                self._texts.append((where, text))

    def found(self) -> str:
        """Where the canary was seen; empty when nowhere."""
        logged = self._bench.gateway.log.text() if self._bench else ""
        texts = [*self._texts, ("the log", logged), ("what it prints", self._printed.getvalue())]
        return next((where for where, text in texts if self.canary in text), "")

    def __enter__(self) -> Self:
        handler = _Handler(self)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        self._stack.callback(root.setLevel, level)
        self._stack.callback(root.removeHandler, handler)
        self._stack.enter_context(contextlib.redirect_stdout(self._printed))
        self._stack.enter_context(contextlib.redirect_stderr(self._printed))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class _Handler(logging.Handler):
    def __init__(self, evidence: Evidence) -> None:
        super().__init__(logging.DEBUG)
        self._evidence = evidence

    def emit(self, record: logging.LogRecord) -> None:
        self._evidence.note(f"the log of '{record.name}'", record.getMessage(), repr(record.__dict__))


def _texts(thing: object) -> Iterator[str]:
    yield str(thing)
    yield repr(thing)
    seen: set[int] = set()
    while isinstance(thing, BaseException) and id(thing) not in seen:
        seen.add(id(thing))
        shown = {k: v for k, v in vars(thing).items() if k not in ("request", "response")}
        yield f"{thing} {thing!r} {thing.args!r} {shown!r} {getattr(thing, '__notes__', ())!r}"
        thing = thing.__cause__ or thing.__context__


def places_of(made: Any) -> tuple[Path, ...]:
    """Where the code of an object is: its file, or its package's folder."""
    module = sys.modules.get(type(made).__module__)
    if module is None or not module.__file__:
        return ()
    top = sys.modules.get(module.__name__.partition(".")[0])
    file = Path((top.__file__ if top else None) or module.__file__)
    return (file.parent if file.name == "__init__.py" else Path(module.__file__),)
