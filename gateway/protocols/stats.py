"""The gateway's own numbers, for plugins that show them."""

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one plugin in one stage."""

    plugin: str
    stage: str
    failures: int
    """Since the start."""
    quarantined: bool
    """It kept failing and is left out for now."""


class Cooling(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream that failed lately and is left alone where there is another."""

    model: str
    """The name of the model that failed."""
    provider: str
    seconds: float
    """Until it is asked like any other."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one serving process at one moment."""

    generation: int = 0
    """The one that new exchanges start with; 0 before the first."""
    in_flight: int = 0
    """Exchanges that run."""
    draining: bool = False
    """New exchanges are refused: the process ends."""
    snapshot_age: float | None = None
    """Seconds since the registry's database was last seen; None before it was."""
    usage_waiting: int = 0
    """Usage records on their way to the sinks."""
    usage_dropped: int = 0
    """Usage records lost since the start because the sinks were too slow."""
    faults: tuple[Fault, ...] = ()
    """Every plugin and stage that failed since the start."""
    cooling: tuple[Cooling, ...] = ()
    """Upstreams that cool down."""
