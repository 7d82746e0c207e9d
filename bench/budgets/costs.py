"""What was counted, what may be counted, and how far the one may lie above the other."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

SHARE = 0.10
"""A cost may grow by so much,"""
_SLACK = {
    "bytecodes others": (250.0, 25.0),
    "calls of C others": (25.0, 3.0),
    "bytecodes gateway.usage": (80.0, 10.0),
    "bytecodes": (40.0, 10.0),
    "calls of C": (5.0, 1.5),
    "allocations": (30.0, 2.0),
}
"""or by so much a request and a chunk, where a tenth is next to nothing.

Of the libraries a little runs for the background, too, where it cannot be told apart. A note of the usage costs 70 more
where the journal's thread has written all before it, and a request makes two: which it is, is the machine's."""
_COUNTED = (0.6, 0.25)
"""Of tasks, timers and system calls not one more may come; that is for what averages leave."""
_STORED = Path(__file__).with_name("baseline.json")


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """Of one measure: so much for a request without its chunks, and so much for each chunk."""

    request: float
    chunk: float


Costs = Mapping[str, Cost]
"""By measure: its kind, and behind a space the part of the gateway where it is told of parts."""


class Finding(msgspec.Struct, frozen=True):
    """One cost beside what it may be."""

    shape: str
    measure: str
    unit: str
    counted: float
    stored: float
    most: float

    @property
    def over(self) -> bool:
        """The budget is broken."""
        return self.counted > self.most

    @property
    def under(self) -> bool:
        """So much better that the stored cost would hide the next regression."""
        return self.counted < 2 * self.stored - self.most


def judged(counted: Mapping[str, Costs], stored: Mapping[str, Costs]) -> Iterator[Finding]:
    """Every cost that was counted beside the stored one; of what is new there was nothing before."""
    nothing = Cost(0, 0)
    for shape, costs in counted.items():
        for measure, cost in costs.items():
            before = stored.get(shape, {}).get(measure, nothing)
            for at, unit in enumerate(("request", "chunk")):
                now, then = getattr(cost, unit), getattr(before, unit)
                if now or then:
                    yield Finding(shape, measure, unit, now, then, _most(measure, at, then))


def with_totals(costs: Costs) -> Costs:
    """The costs, and the sums of those that are told by part."""
    found = dict(costs)
    for kind in ("bytecodes", "calls of C"):
        of_parts = [cost for measure, cost in costs.items() if measure.startswith(f"{kind} ")]
        if of_parts:
            found[kind] = Cost(sum(cost.request for cost in of_parts), sum(cost.chunk for cost in of_parts))
    return found


def load() -> Mapping[str, Costs]:
    """The stored costs of every shape for this minor version of Python; empty where there are none."""
    return by_python().get(python(), {})


def save(counted: Mapping[str, Costs]) -> Path:
    """Let these be the stored costs for this minor version of Python."""
    text = msgspec.json.encode({**by_python(), python(): counted}, order="sorted")
    _STORED.write_bytes(msgspec.json.format(text, indent=1) + b"\n")
    return _STORED


def python() -> str:
    """The minor version: each compiles to bytecodes of its own."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def by_python() -> dict[str, dict[str, dict[str, Cost]]]:
    """The stored costs by version of Python."""
    return (
        msgspec.json.decode(_STORED.read_bytes(), type=dict[str, dict[str, dict[str, Cost]]])
        if _STORED.exists()
        else {}
    )


def _most(measure: str, at: int, stored: float) -> float:
    for kind, slack in _SLACK.items():
        if measure.startswith(kind):
            return max(stored * (1 + SHARE), stored + slack[at])
    return stored + _COUNTED[at]
