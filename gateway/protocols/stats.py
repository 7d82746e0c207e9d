"""The gateway's own numbers, for plugins that show them."""

from typing import Literal

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


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What one serving process knows of a model and its credential."""

    id: str
    model: str
    """Its name."""
    provider: str
    state: Literal["closed", "open", "half_open"] = "closed"
    """Of its circuit: asked like any other; left alone; asked by one request at a time, until one succeeds."""
    credential: Literal["ok", "refused", "probing", "limited"] = "ok"
    """Of the credential, which other models may share."""
    failures: int = 0
    """In a row, nearly: each success takes half of them away."""
    cooling: float = 0.0
    """Seconds that it is still left alone where there is another."""
    held: float = 0.0
    """Seconds of its own `Retry-After` that are left: nobody new may ask it."""
    in_flight: int = 0
    """Attempts that run now."""
    latency: float | None = None
    """Seconds from the dial to the first content, a moving average; None = not known."""
    last_error: str | None = None
    """Class of the last failure that counted, forgotten with the failures."""


class Ailing(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that serves, and does without something for now."""

    plugin: str
    reason: str


class Hedges(msgspec.Struct, frozen=True, kw_only=True):
    """What became of second attempts beside a slow first one, since the start."""

    started: int = 0
    won: int = 0
    """The second attempt answered first."""
    refused: int = 0
    """The route's budget was spent."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one serving process at one moment."""

    generation: int = 0
    """The one that new exchanges start with; 0 before the first."""
    in_flight: int = 0
    """Exchanges that run."""
    in_flight_limit: int = 0
    """How many may run now: `server.max_in_flight`, or fewer while the event loop is late."""
    draining: bool = False
    """New exchanges are refused: the process ends."""
    loop_lag: float = 0.0
    """Seconds that the event loop is late, by the lesser of the last two looks: what admission goes by."""
    turned_away: int = 0
    """Requests refused since the start because the process carried too much."""
    strangers_refused: int = 0
    """Requests refused since the start because their address had sent too many wrong credentials."""
    snapshot_age: float | None = None
    """Seconds since the registry's database was last seen; None before it was."""
    usage_waiting: int = 0
    """Usage records on their way to the sinks."""
    usage_lag: float = 0.0
    """Seconds since the oldest of them was settled; 0 when there is none."""
    usage_dropped: int = 0
    """Usage records lost since the start because the sinks were too slow."""
    faults: tuple[Fault, ...] = ()
    """Every plugin and stage that failed since the start."""
    cooling: tuple[Cooling, ...] = ()
    """Upstreams that cool down."""
    unwell: tuple[ModelHealth, ...] = ()
    """Models with failures that count, or with a credential that is refused."""
    ailing: tuple[Ailing, ...] = ()
    """Plugins that do without something."""
    hedges: Hedges = Hedges()
