"""The counts of what a history did."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from chaos_checker import summary
from chaos_history import Client, History
from chaos_plan import SHAPE
from chaos_script import fault_at

HEAD = ("what", "counts")


def rows(history: History, findings: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What was done and what became of it, as the rows of a table."""
    asks = {client.ask.tag: client.ask for client in history.clients}
    faults = Counter(fault_at(asks[asked.tag], asked.step) for asked in history.asked)
    wells = sum(faults.pop(name, 0) for name in ("long", "well", "whole"))
    yield "seed, seconds", f"{history.seed}, {history.seconds:.0f}"
    yield "requests", f"{len(history.clients)}: {_told(Counter(map(_ending, history.clients)))}"
    yield from _by_surface(history)
    yield "clients that left", _told(Counter(client.ask.leave for client in history.clients if client.left))
    yield (
        "attempts that upstreams saw",
        f"{len(history.asked)}: {wells} well, {faults.total()} with {len(faults)} kinds of fault",
    )
    yield "workers killed, servers restarted", f"{len(history.deaths)}, {len(history.stops)}"
    away = sum(outage.end - outage.begin for outage in history.outages)
    yield "absences of the database", f"{len(history.outages)}, {away:.0f} s in all"
    yield "changes, and their answers", _told(Counter(f"{did.what} ({did.answer})" for did in history.did))
    yield "usage rows", f"{len(history.rows)}: {_told(Counter(row.outcome for row in history.rows))}"
    yield "findings", _told(summary(findings))


def _by_surface(history: History) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(shape.surface for shape in SHAPE.values()):
        mine = [client for client in history.clients if SHAPE[client.ask.shape].surface == name]
        yield f"requests of `{name}`", f"{len(mine)}: {_told(Counter(map(_ending, mine)))}"


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
