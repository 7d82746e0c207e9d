"""The counts of what a history did."""

from collections import Counter
from collections.abc import Mapping

from chaos_history import Client, History
from chaos_plan import SHAPE
from chaos_script import fault_at


def report(history: History, missing: int) -> str:
    """What was done and what became of it, as a few tables."""
    outages = [outage.end - outage.begin for outage in history.outages]
    faults = Counter(_fault(history, asked.tag, asked.step) for asked in history.asked)
    wells = sum(faults.pop(name, 0) for name in ("long", "well", "whole"))
    lines = [
        f"\nchaos: seed {history.seed}, {history.seconds:.0f} s",
        f"requests {len(history.clients)}, by surface and how they ended for the client:",
        *_by_surface(history),
        f"attempts seen by the upstream {len(history.asked)}: {wells} well, {faults.total()} with {len(faults)} faults",
        f"clients that left: {_told(Counter(client.ask.leave for client in history.clients if client.left))}",
        f"done: {_told(Counter(f'{did.what} ({did.answer})' for did in history.did))}",
        f"workers killed {len(history.deaths)}, servers restarted {len(history.stops)}, "
        f"database away {len(outages)} times, {sum(outages):.0f} s",
        f"usage rows {len(history.rows)}: {_told(Counter(row.outcome for row in history.rows))}",
        f"attempts of the last 50 ms before a kill without a row: {missing}",
    ]
    return "\n".join(lines)


def _fault(history: History, tag: str, step: int) -> str:
    ask = next(client.ask for client in history.clients if client.ask.tag == tag)
    return fault_at(ask, step)


def _by_surface(history: History) -> list[str]:
    names = dict.fromkeys(shape.surface for shape in SHAPE.values())
    counts = {
        name: Counter(_ending(client) for client in history.clients if SHAPE[client.ask.shape].surface == name)
        for name in names
    }
    return [f"  {name:12} {_told(counts[name])}" for name in names]


def _ending(client: Client) -> str:
    if client.hung:
        return "hung"
    if not client.reached or (client.status is None and not client.left):
        return "not reached"
    if client.left:
        return "left"
    return client.ending.value if client.ending is not None else "nothing"


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda one: -one[1])) or "none"
