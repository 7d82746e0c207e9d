"""How long a gateway takes from its start to its first answer, and what it holds then."""

import socket
import sys
import time
from collections.abc import Callable

from bench.gateways import Variant, World, running, targets_of
from bench.machine import resident_mb
from bench.report import Table, shown
from bench.rounds import Rounds, Spread
from bench.scenarios import OPEN, OPENING, Pace
from bench.target import Ask, Unavailable

_LIMIT = 60.0
_IDLE = 1.0


def starting_table(world: World, surface: str, repeats: int, rounds_of: Callable[[Pace], Rounds]) -> Table:
    """Start it on its core with a database that is there, ask at once and until it answers; then open 1,000 streams."""
    ready: list[float] = []
    resident: list[float] = []
    for_a_stream: list[float] = []
    for number in range(repeats):
        started = time.monotonic()
        with running(world, Variant("started")) as server:
            launched = server.launched
            targets = targets_of(world, Variant("started"), server, [surface])
            if not targets:
                raise Unavailable(f"the surface {surface} is not served")
            request = targets[0].request(Ask(world.models[0], stream=True))
            _first_answer(targets[0].port, request)
            ready.append(time.monotonic() - launched)
            time.sleep(_IDLE)
            resident.append(resident_mb(server.pids))
            rounds = rounds_of(OPENING)
            rounds.run([OPEN], targets)
            opened = rounds.figure(OPEN, targets[0].name, "RSS MB")
            assert opened is not None
            for_a_stream.append((opened.median - resident[-1]) * 1024 / OPEN.connections)
        took = f"({time.monotonic() - started:.1f} s)"
        print(f"{number + 1}/{repeats} start: {ready[-1]:.2f} s, {resident[-1]:.1f} MB {took}", file=sys.stderr)
    row = [f"gateway {surface}", shown(Spread.of(ready), 2), shown(Spread.of(resident))]
    row.append(shown(Spread.of(for_a_stream)))
    return Table(
        "Start", ["", "s to the first answer", "RSS MB idle", f"kB for each of {OPEN.connections:,} streams"], [row]
    )


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
