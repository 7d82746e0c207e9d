"""What everybody saw: clients, upstream, the gateway's own trace, the database. All times are `time.monotonic()`."""

from pathlib import Path

import msgspec
from chaos_plan import Ask

from gateway.testing.told import Ending


class Client(msgspec.Struct, kw_only=True):
    """One request, as its client saw it."""

    ask: Ask
    since: float
    """When its connection was known to be whole: as it was made, or as the request before on it was sent."""
    sent: float
    ended: float = 0.0
    hung: bool = False
    left: bool = False
    """The client went before the answer was over."""
    reached: bool = True
    """False when no connection could be made."""
    status: int | None = None
    ending: Ending | None = None
    text: str = ""
    code: str = ""
    flaw: str = ""


class Asked(msgspec.Struct, kw_only=True):
    """One request, as the upstream saw it."""

    tag: str
    model: str
    step: int
    """How often this tag had been asked before."""
    at: float
    over: bool = False
    """All of the script was played."""
    held: bool = False
    """At the end of the history the connection was still open, in the middle of this answer."""


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange, as the gateway's own plugin saw it before its first attempt."""

    tag: str
    exchange: str
    worker: int
    at: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the usage."""

    attempt: str
    exchange: str
    number: int
    model: str
    outcome: str
    error: str | None
    duration: float


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """A worker was killed."""

    worker: int
    at: float
    late: float
    """How late this machine woke those who slept, about then."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which something was away."""

    what: str
    begin: float
    end: float


class Did(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done to the gateway, and what it answered."""

    what: str
    answer: str
    begin: float = 0.0
    end: float = 0.0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker held."""

    worker: int
    tasks: int
    files: int
    """Descriptors that are no connections to upstream, client or database."""
    clients: int


class History(msgspec.Struct, kw_only=True):
    """Everything, as it was seen."""

    seed: int
    seconds: float = 0.0
    clients: list[Client] = []
    asked: list[Asked] = []
    traced: list[Traced] = []
    rows: list[Row] = []
    deaths: list[Death] = []
    stops: list[Span] = []
    """From the signal to stop until the next server was ready."""
    outages: list[Span] = []
    did: list[Did] = []
    before: list[Holding] = []
    after: list[Holding] = []
    leaks: list[str] = []
    logs: list[str] = []
    """What the servers printed, that no server may print."""
    left: list[str] = []
    """What is left where nothing should be: files of the journal, exit codes, connections to the canary."""

    def save(self, path: Path) -> None:
        """Write it down, to be read again."""
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read one that was written down."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
