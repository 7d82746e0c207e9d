"""What serving processes hold: tasks as they tell, descriptors as the system tells (Linux)."""

import os
from collections.abc import Sequence
from pathlib import Path

from chaos_history import Holding

from gateway.testing.running import RunningGateway

_ESTABLISHED = "01"


async def holdings(gateway: RunningGateway, workers: Sequence[int], upstream: int, database: int) -> list[Holding]:
    """Of each of these workers that answers."""
    tasks: dict[int, int] = {}
    for _ in range(100):
        try:
            told = await gateway.client.request("GET", "/chaos")
        except OSError:
            break
        if told.status == 200:
            answer = told.json()
            tasks[answer["worker"]] = answer["tasks"]
        if tasks.keys() >= set(workers):
            break
    return [
        _holding(worker, tasks[worker], gateway.port, {upstream, database}) for worker in workers if worker in tasks
    ]


def _holding(worker: int, tasks: int, port: int, outward: set[int]) -> Holding:
    connections = _connections()
    files = clients = 0
    for descriptor in Path(f"/proc/{worker}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        here, there, state = connections.get(target, (0, 0, ""))
        if there in outward:
            continue
        if here == port and state == _ESTABLISHED:
            clients += 1
        else:
            files += 1
    return Holding(worker=worker, tasks=tasks, files=files, clients=clients)


def _connections() -> dict[str, tuple[int, int, str]]:
    """Ports of both sides and the state, by what a descriptor of it is called."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        here, there = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
        found[f"socket:[{fields[9]}]"] = here, there, fields[3]
    return found
