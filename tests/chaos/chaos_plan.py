"""Decisions from a seed: what each actor does, in order, whatever the timing.

Every actor has a generator of its own, so the same seed gives each the same list of actions; how far it comes in the
list is what time decides.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
from fault_dialects import PIECES
from fault_surfaces import SHAPES, Shape
from fault_table import FAULTS

from gateway.testing.upstream import Behaviour

SHAPE: Mapping[str, Shape] = {shape.name: shape for shape in SHAPES if shape.lane == "direct"}
DIALECTS = tuple(dict.fromkeys(shape.dialect for shape in SHAPE.values()))
STEADY = ("a", "a", "b", "route", "failover", "hedged")
"""What most requests are for; `v` is the model that comes and goes."""
Leave: TypeAlias = Literal["", "at once", "after the head", "after some", "half-close"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of one client, and what its upstreams and the client itself will do."""

    tag: str
    """Stands in the prompt, in a header and in the answer: no other request has it."""
    shape: str
    target: str
    script: tuple[str, ...]
    """What the upstream does at each attempt; the last again for all further ones."""
    words: int = 1
    pause: float = 0.0
    leave: Leave = ""
    patience: float = 0.0
    """Seconds, or a count of pieces, until it leaves."""
    keep_alive: bool = False
    passing_key: bool = False
    """Asked with the key that is revoked now and then."""
    rest: float = 0.0
    """Seconds before it is asked."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is done to the gateway or its surroundings."""

    rest: float
    what: str
    size: float = 0.0
    """Seconds that it lasts, or which worker it hits (0 to 1)."""


def asks(seed: int, client: int, script: tuple[str, ...] = ()) -> Iterator[Ask]:
    """All requests of one client, without end; with `script` all upstreams play that."""
    dice = random.Random(f"{seed}/client {client}")
    number = 0
    while True:
        number += 1
        ask = _ask(dice, f"chaos-{client}-{number}")
        yield msgspec.structs.replace(ask, script=script) if script else ask


def swaps(seed: int) -> Iterator[Act]:
    """Sets of plugins that change."""
    kinds = ("disable swapped", "enable swapped", "disable metrics", "enable metrics", "reload", "rollback", "hang up")
    return _acts(seed, "swaps", kinds, rest=(0.5, 4.0))


def outages(seed: int) -> Iterator[Act]:
    """The database goes away: refused at once, or silent."""
    return _acts(seed, "outages", ("cut", "silent"), rest=(4.0, 14.0), size=(0.5, 4.0))


def ends(seed: int) -> Iterator[Act]:
    """Workers are killed, and sometimes all are told to stop and started anew."""
    return _acts(seed, "ends", ("kill", "kill", "kill", "kill all", "restart"), rest=(1.0, 5.0), size=(0.0, 1.0))


def changes(seed: int) -> Iterator[Act]:
    """The registry changes under the running gateway."""
    return _acts(seed, "changes", ("disable", "enable", "new key"), rest=(0.5, 4.0), size=(0.0, 1.0))


def _acts(
    seed: int,
    actor: str,
    kinds: Sequence[str],
    *,
    rest: tuple[float, float],
    size: tuple[float, float] = (0.0, 0.0),
) -> Iterator[Act]:
    dice = random.Random(f"{seed}/{actor}")
    while True:
        yield Act(rest=dice.uniform(*rest), what=dice.choice(kinds), size=dice.uniform(*size))


def _ask(dice: random.Random, tag: str) -> Ask:
    shape = SHAPE[dice.choice(list(SHAPE))]
    wells = ("long", "long", "well", "whole") if shape.streamed else ("whole", "well")
    script = tuple(dice.choice(FAULTY[shape.name]) for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 3))))
    if len(script) < 3:
        script = (*script, dice.choice(wells if shape.dialect != "plain" else ("whole",)))
    leave: Leave = "" if dice.random() < 0.85 else dice.choice(LEAVING[shape.streamed])
    return Ask(
        tag=tag,
        shape=shape.name,
        target="v" if dice.random() < 0.08 else dice.choice(STEADY if shape.dialect == "chat" else STEADY[:4]),
        script=script,
        words=dice.randint(1, 40),
        pause=dice.uniform(0.005, 0.05),
        leave=leave,
        patience=dice.randint(1, 20) if leave == "after some" else dice.uniform(0.0, 0.3),
        keep_alive=dice.random() < 0.6,
        passing_key=dice.random() < 0.06,
        rest=dice.uniform(0.0, 0.3),
    )


LEAVING: Mapping[bool, Sequence[Leave]] = {
    True: ("at once", "after the head", "after some", "half-close"),
    False: ("at once", "half-close"),
}
"""How clients of streams leave, and how those who wait for a whole answer do."""


def _faulty(shape: Shape) -> tuple[str, ...]:
    """The faults of the matrix that can be one attempt of any history on this surface."""

    def plays_one(play: Callable[..., object] | None) -> bool:
        return play is not None and (
            isinstance(played := play(PIECES[shape.dialect]), Behaviour) or len(played) == 1  # type: ignore[arg-type]
        )

    return tuple(
        name
        for name, fault in FAULTS.items()
        # A model that asks to be left alone for a minute would only make the history quiet.
        if fault.concerns(shape) and not fault.leaves and name != "429 for long" and plays_one(fault.play)
    )


FAULTY: Mapping[str, tuple[str, ...]] = {name: _faulty(shape) for name, shape in SHAPE.items()}
