"""How long a gateway takes from its start to its first answer, and what it holds then."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable

from bench.gateways import Variant, World, running, targets_of
from bench.machine import pinned, resident_mib
from bench.report import Table, shown
from bench.rounds import Rounds, Spread
from bench.scenarios import OPEN, OPENING, Pace
from bench.target import Ask, Unavailable

_LIMIT = 60.0
_IDLE = 1.0
_LIBRARIES = (
    "litestar",
    "uvicorn",
    "uvloop",
    "httptools",
    "sqlalchemy.dialects.sqlite",
    "msgspec",
    "pluggy",
    "click",
    "pydantic",
    "cryptography.fernet",
)
"""What a gateway with its default plugins on SQLite stands on: nothing of ours can start before these have."""


def starting_table(world: World, surface: str, repeats: int, rounds_of: Callable[[Pace], Rounds]) -> Table:
    """Start it on its core with a database that is there, ask at once and until it answers; then open 1,000 streams."""
    ready: list[float] = []
    resident: list[float] = []
    alone: list[tuple[float, float]] = []
    for_a_stream: list[float] = []
    for number in range(repeats):
        started = time.monotonic()
        alone.append(_libraries(world))
        with running(world, Variant("started")) as server:
            launched = server.launched
            targets = targets_of(world, Variant("started"), server, [surface])
            if not targets:
                raise Unavailable(f"the surface {surface} is not served")
            request = targets[0].request(Ask(world.models[0], stream=True))
            _first_answer(targets[0].port, request)
            ready.append(time.monotonic() - launched)
            time.sleep(_IDLE)
            resident.append(resident_mib(server.pids))
            rounds = rounds_of(OPENING)
            rounds.measure(OPEN, targets[0])
            opened = rounds.figure(OPEN, targets[0].name, "RSS MiB")
            assert opened is not None
            for_a_stream.append((opened.median - resident[-1]) * 1024 / OPEN.connections)
        took = f"({time.monotonic() - started:.1f} s)"
        print(f"{number + 1}/{repeats} start: {ready[-1]:.2f} s, {resident[-1]:.1f} MiB {took}", file=sys.stderr)
    row = [f"gateway {surface}", shown(Spread.of(ready), 2), shown(Spread.of(resident))]
    row.append(shown(Spread.of(for_a_stream)))
    floor = ["its libraries, imported"]
    floor += [shown(Spread.of([took for took, _ in alone]), 2), shown(Spread.of([held for _, held in alone])), "-"]
    heads = ["", "s to the first answer", "RSS MiB idle", f"KiB for each of {OPEN.connections:,} streams"]
    return Table("Start", heads, [row, floor])


def _libraries(world: World) -> tuple[float, float]:
    """Seconds until a process has imported the libraries alone, on the gateway's core, and the MB it holds then."""
    told = f"import {', '.join(_LIBRARIES)}; print(flush=True); input()"
    launched = time.monotonic()
    with pinned(world.cores):
        process = subprocess.Popen([sys.executable, "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        took = time.monotonic() - launched
        held = resident_mib([process.pid])
        process.stdin.write(b"\n")
    return took, held


def _first_answer(port: int, request: bytes) -> None:
    """Ask; the first byte of an answer ends the wait."""
    end = time.monotonic() + _LIMIT
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_LIMIT) as connected:
                connected.sendall(request)
                if connected.recv(64).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            time.sleep(0.002)
    raise Unavailable("it does not answer")
