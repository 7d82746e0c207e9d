"""The plugin that counts inside the measured gateway, told by `GET /counting?MODE` and `GET /counting?stop`.

A window reaches from one request to the other; what these two cost is counted of an empty window and taken off.
"""

import asyncio
import ctypes
import gc
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import CodeType, FrameType
from typing import Any, Protocol

import msgspec
import uvloop
from litestar import asgi
from litestar.types import Receive, Scope, Send

from bench.budgets import planting
from gateway import hookimpl

COUNTER = "BENCH_COUNTER"
"""Names the shared library in the environment."""
BY_FUNCTION = "BENCH_BY_FUNCTION"
"""Set in the environment: count by function, not by part."""
_TURNS = 25
"""Turns of the event loop after which everything that an answered exchange left to do is done."""
_CALM = 0.15
"""Seconds after which the usage journal has written down the last exchange: it gathers for 100 ms."""
_TOOL = 3
"""Of `sys.monitoring`: one that no kind of tool has for its own."""
_NATIVE = ("allocations", "reads", "writes", "other system calls")
_LOOP = {
    "tasks": ("create_task",),
    "timers": ("call_later", "call_at"),
    "futures": ("create_future",),
}


class Counting(Protocol):
    """One way to count, from `start` to `stop`."""

    def start(self) -> None: ...
    def stop(self) -> Mapping[str, int]: ...


class Background:
    """What runs whether anybody asks or not, and falls into some windows only.

    Tasks from before the window, what threads send to the loop, and timers: those of a request only ever run out.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._apart = False
        for name, before in (("call_soon_threadsafe", 0), ("call_later", 1), ("call_at", 1)):
            setattr(uvloop.Loop, name, self._marked(getattr(uvloop.Loop, name), before))

    def note(self) -> None:
        """A window begins: other tasks than this one are of the background."""
        self._tasks = asyncio.all_tasks() - {asyncio.current_task()}

    def works(self) -> bool:
        """Whether it is the background that runs."""
        return self._apart or asyncio.current_task() in self._tasks

    def _marked(self, real: Callable[..., Any], before: int) -> Callable[..., Any]:
        """A method of the loop that takes a callback behind so many arguments."""

        def called(loop: uvloop.Loop, *arguments: Any, **named: Any) -> Any:
            return real(loop, *arguments[:before], self._run, *arguments[before:], **named)

        return called

    def _run(self, callback: Callable[..., Any], *arguments: Any) -> None:
        self._apart = True
        try:
            callback(*arguments)
        finally:
            self._apart = False


_WORKS = Background.works.__code__
"""Asks who runs, also where it is the application that is counted."""


class Parts:
    """Whose code is whose: one part for each package of the gateway, each plugin and each library that serves."""

    def __init__(self, background: Background) -> None:
        self._known: dict[CodeType, str] = {}
        self._background = background
        self._by_function = BY_FUNCTION in os.environ

    def of(self, frame: FrameType) -> str:
        """The part that a frame's code belongs to; empty for our own, and for what runs in the background."""
        caller = frame.f_back
        if self._background.works() or (caller is not None and caller.f_code is _WORKS):
            return ""
        code = frame.f_code
        part = self._known.get(code)
        if part is None:
            module = frame.f_globals.get("__name__", "")
            part = self._named(module)
            if part and self._by_function:
                part = f"{module}:{code.co_qualname}"
            self._known[code] = part
        return part

    def _named(self, module: str) -> str:
        names = module.split(".")
        if names[0] == "gateway":
            return ".".join(names[:2])
        if names[0].startswith("gateway_") or names[0] in ("uvicorn", "litestar"):
            return names[0]
        return "" if names[0] == "bench" or names[0].startswith("litestar_gateway_file_") else "others"


class Code:
    """What Python runs, by part: its instructions, and its calls of what is written in C."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counts: Counter[str] = Counter()

    def start(self) -> None:
        """Count from now on."""
        self._counts.clear()
        sys.setprofile(self._called)
        self._trace()

    def stop(self) -> Mapping[str, int]:
        """No more."""
        self._untrace()
        sys.setprofile(None)
        return self._counts

    if sys.version_info >= (3, 12):
        # There `settrace` misses what code runs in its first frame after it ran untraced.
        def _trace(self) -> None:
            instruction = sys.monitoring.events.INSTRUCTION
            sys.monitoring.use_tool_id(_TOOL, "bench")
            sys.monitoring.register_callback(_TOOL, instruction, partial(self._ran, threading.get_ident()))
            sys.monitoring.set_events(_TOOL, instruction)

        def _untrace(self) -> None:
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)

        def _ran(self, thread: int, code: CodeType, offset: int) -> None:
            if threading.get_ident() == thread and (part := self._parts.of(sys._getframe(1))):
                self._counts[f"bytecodes {part}"] += 1
    else:

        def _trace(self) -> None:
            sys.settrace(self._entered)

        def _untrace(self) -> None:
            sys.settrace(None)

    def _entered(
        self, frame: FrameType, event: str, argument: object
    ) -> Callable[[FrameType, str, object], Any] | None:
        part = self._parts.of(frame)
        if not part:
            return None
        counts, measure = self._counts, f"bytecodes {part}"
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True

        def step(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            if event == "opcode":
                counts[measure] += 1
            return step

        return step

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call" and (part := self._parts.of(frame)):
            self._counts[f"calls of C {part}"] += 1


class Loop:
    """What the event loop is asked to make."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._counts: Counter[str] = Counter()
        self._real: dict[str, Callable[..., Any]] = {}

    def start(self) -> None:
        """Count on the way to the loop's own methods."""
        self._counts.clear()
        for measure, names in _LOOP.items():
            for name in names:
                self._real[name] = getattr(uvloop.Loop, name)
                setattr(uvloop.Loop, name, self._counted(measure, self._real[name]))

    def stop(self) -> Mapping[str, int]:
        """No more."""
        for name, real in self._real.items():
            setattr(uvloop.Loop, name, real)
        return self._counts

    def _counted(self, measure: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            if not self._background.works():
                self._counts[measure] += 1
            return real(*arguments, **named)

        return called


class Native:
    """Allocations and system calls, counted in C."""

    def __init__(self, library: ctypes.PyDLL) -> None:
        self._library = library
        self._before = (ctypes.c_long * len(_NATIVE))()
        library.counter_hook()

    def start(self) -> None:
        """Note where the counters are."""
        self._library.counter_read(self._before)

    def stop(self) -> Mapping[str, int]:
        """How much more they say."""
        after = (ctypes.c_long * len(_NATIVE))()
        self._library.counter_read(after)
        return {name: after[at] - self._before[at] for at, name in enumerate(_NATIVE)}


class Garbage:
    """Objects that are left for the garbage collector: each of them, and what it holds, stays until that comes."""

    def start(self) -> None:
        """Clear away what was left before."""
        gc.collect()

    def stop(self) -> Mapping[str, int]:
        """How many were left since."""
        return {"garbage": gc.collect()}


class Counters:
    """All ways to count in this process, one at a time."""

    def __init__(self) -> None:
        self._background = Background()
        self._modes: dict[str, Sequence[Counting]] = {
            "python": (Code(Parts(self._background)), Loop(self._background)),
            "garbage": (Garbage(),),
        }
        if path := os.environ.get(COUNTER):
            library = ctypes.PyDLL(path)
            self._modes["native"] = (Native(library),)
        self._running: Sequence[Counting] = ()

    async def told(self, word: str) -> Mapping[str, int]:
        """Begin or end a window, or plant a regression; what was counted."""
        if word.startswith("plant"):
            planting.plant(*word.split("/")[1:])
        elif word == "stop":
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            running, self._running = self._running, ()
            # What was started last is stopped first.
            found = {measure: count for one in reversed(running) for measure, count in one.stop().items()}
            gc.enable()
            return found
        else:
            await asyncio.sleep(_CALM)
            gc.disable()
            self._background.note()
            self._running = self._modes[word]
            for one in self._running:
                one.start()
        return {}


@hookimpl
def on_app_init(app_config: Any) -> None:
    """Serve `/counting`."""
    counters = Counters()

    @asgi("/counting", copy_scope=False, opt={"public": True})
    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        counted = await counters.told(scope["query_string"].decode())
        body = msgspec.json.encode(dict(counted))
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    app_config.route_handlers.append(counting)
