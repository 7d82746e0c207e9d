"""What is measured: each scenario one shape of traffic, and the figures that tell something of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.target import Ask, Target
from bench.tools import Sample, load

Figure = Callable[[Sample], float]


class Pace(msgspec.Struct, frozen=True):
    """How long a run takes, and how often it is repeated."""

    seconds: float
    warmup: float
    repeats: int
    quiet: float = 0.25
    """Seconds without work between two runs."""


QUICK = Pace(1.5, 0.4, 3)
FULL = Pace(1.5, 0.4, 3)
COMPARING = Pace(0.4, 0.1, 10, 0.05)
"""Differences of a microsecond want many short runs, close together."""
OBSERVING = Pace(1.0, 0.2, 1, 0.05)
"""What next to nothing costs wants longer ones: in a second a disturbance weighs less."""
_RAMP = 1.05
"""Seconds in which paced streams begin, and so how their events lie to each other: evenly. In 1.0 a thousand would
begin 1 ms apart and have their events twenty at a time, the more exactly so the quicker a server is."""
_AROUND = 0.25
"""Seconds that a run takes beyond what it was told: the rest before it, the load client's start, its last answers."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of traffic."""

    name: str
    group: str
    title: str
    figures: tuple[str, ...]
    ratios: tuple[str, ...] = ()
    """Those of them that are told as ratios, too."""
    connections: int
    chunks: int = 1
    stream: bool = True
    rate: float = 0.0
    """Events a second of one stream; 0 is all of them at once. With the default `chunks` it outlasts the window."""
    ramp: float = 0.0
    prompt: int = 6
    asked: float = 0.0
    """Requests a second, due at fixed times (an open loop); 0: each connection asks again when it has its answer."""
    tls: bool = False
    stall: bool = False
    longer: float = 1.0
    """Times a run's window: a 99th percentile wants more than one or two of the machine's pauses in it."""
    fewer: int = 0
    """Rounds less than the others: it is measured for completeness."""

    def suits(self, target: Target) -> bool:
        """Whether the target takes part."""
        return (target.tls or not self.tls) and (not target.only or self.name in target.only)

    def repeats(self, pace: Pace) -> int:
        """In how many of the rounds it is run."""
        return max(1, pace.repeats - self.fewer)

    def model(self, pace: Pace) -> str:
        """What the upstream is asked for."""
        return f"bench-{self.length(pace)}-{self.rate:g}"

    def window(self, pace: Pace) -> float:
        """How many seconds of one run are counted."""
        return pace.seconds * self.longer

    def length(self, pace: Pace) -> int:
        """How many events a stream has."""
        if not self.rate or self.chunks > 1:
            return self.chunks
        return round(self.rate * (self.ramp + pace.warmup + self.window(pace) + pace.quiet)) + 1

    def lasts(self, pace: Pace) -> float:
        """About how many seconds one run takes, with the rest behind it."""
        stream = self.length(pace) / self.rate if self.rate else 0.0
        window = self.ramp + pace.warmup + self.window(pace)
        outlasts = max(0.0, self.ramp + stream - window) if self.chunks == 1 else stream / 2
        return window + outlasts + pace.quiet + _AROUND

    def run(self, target: Target, pace: Pace, cores: frozenset[int], upstream: int, folder: Path) -> Sample:
        """One run against one target."""
        ask = Ask(self.model(pace), self.stream, "x" * self.prompt, self.tls)
        file = folder / "request"
        file.touch(mode=0o600)
        file.write_bytes(target.request(ask))  # a file, because a key is in it
        options = {
            "port": target.port,
            "request": file,
            "kind": target.kind(ask),
            "chunks": self.length(pace),
            "connections": self.connections,
            "seconds": self.window(pace),
            "warmup": pace.warmup + self.ramp,
            "ramp": self.ramp,
            "rate": self.asked,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        words += ["--watch", f"server={','.join(map(str, target.pids))}", "--watch", f"upstream={upstream}"]
        words += [
            f"--{flag}" for flag, on in (("loose", target.loose), ("stall", self.stall), ("leave", self.stall)) if on
        ]
        return load(words, cores)


def _per(unit: Callable[[Sample], int]) -> Figure:
    return lambda sample: sample.watched["server"].cpu_ns / 1e3 / unit(sample) if unit(sample) else float("nan")


FIGURES: dict[str, Figure] = {
    "answers/s": lambda sample: sample.window.answers / sample.seconds,
    "CPU us/answer": _per(lambda sample: sample.window.answers),
    "chunks/s": lambda sample: sample.window.events / sample.seconds,
    "CPU us/chunk": _per(lambda sample: sample.window.events),
    "p50 us": lambda sample: sample.latency.p50,
    "p99 us": lambda sample: sample.latency.p99,
    "first p50 us": lambda sample: sample.first.p50,
    "first p99 us": lambda sample: sample.first.p99,
    "transit p50 us": lambda sample: sample.transit.p50,
    "transit p99 us": lambda sample: sample.transit.p99,
    "RSS MiB": lambda sample: sample.watched["server"].rss_kb / 1024,
    "CPU %": lambda sample: sample.watched["server"].cpu_ns / sample.seconds / 1e7,
    "upstream + load CPU %": lambda sample: (
        (sample.watched["upstream"].cpu_ns + sample.watched["load"].cpu_ns) / sample.seconds / 1e7
    ),
    "wrong": lambda sample: float(sample.wrong),
}
"""Column -> what it is of a run. The lower of `... us`, the higher of `.../s` is better."""

_ANSWERS = ("answers/s", "CPU us/answer")
_STREAMED = ("answers/s", "CPU us/chunk")
_CHUNKS = ("CPU us/chunk", "transit p99 us")
_REQUESTS = ("answers/s", "CPU us/answer", "p50 us", "p99 us", "upstream + load CPU %", "wrong")
_RESTED = ("CPU us/answer", "p50 us", "p99 us", "wrong")
_BURSTS = ("answers/s", "chunks/s", "CPU us/chunk", "first p50 us", "first p99 us", "upstream + load CPU %", "wrong")
_PACED = (
    "chunks/s",
    "CPU us/chunk",
    "first p50 us",
    "first p99 us",
    "transit p50 us",
    "transit p99 us",
    "RSS MiB",
    "CPU %",
    "wrong",
)
_FIRST = ("answers/s", "CPU us/answer", "first p50 us", "first p99 us", "p99 us", "wrong")

SCENARIOS: Sequence[Scenario] = (
    Scenario(
        name="json-1",
        group="requests",
        title="One answer at a time",
        figures=_REQUESTS,
        ratios=_ANSWERS,
        connections=1,
        stream=False,
    ),
    Scenario(
        name="json-64",
        group="requests",
        title="64 connections",
        figures=_REQUESTS,
        ratios=_ANSWERS,
        connections=64,
        stream=False,
    ),
    *(
        Scenario(
            name=f"rests-{rate}",
            group="rests",
            title=f"{rate:,} answers a second, {1000 / rate:g} ms apart",
            figures=_RESTED,
            ratios=("CPU us/answer", "p50 us"),
            connections=16,
            stream=False,
            asked=rate,
            fewer=1,
        )
        for rate in (50, 200, 1000)
    ),
    Scenario(
        name="burst-100",
        group="bursts",
        title="Streams of 100 chunks in one burst",
        figures=_BURSTS,
        ratios=_STREAMED,
        connections=16,
        chunks=100,
    ),
    Scenario(
        name="first-100",
        group="bursts",
        title="First token: 100 connections, streams of 20 chunks at 20/s",
        figures=_FIRST,
        ratios=("first p50 us", "CPU us/answer"),
        connections=100,
        chunks=20,
        rate=20,
        ramp=_RAMP,
    ),
    Scenario(
        name="offered-64k",
        group="offered",
        title="64,000 chunks/s offered: 640 streams at 100/s",
        figures=_PACED,
        ratios=("chunks/s", "CPU us/chunk"),
        connections=640,
        rate=100,
        ramp=_RAMP,
        fewer=1,
    ),
    *(
        Scenario(
            name=f"paced-{count}",
            group="paced",
            title=f"{count:,} stream{'s' * (count > 1)} at 20 chunks/s",
            figures=_PACED,
            ratios=_CHUNKS,
            connections=count,
            rate=20,
            ramp=_RAMP,
            longer=2.5 if count == 1000 else 1.0,
            fewer=int(count in (1, 300)),
        )
        for count in (1, 100, 300, 1000)
    ),
    Scenario(
        name="prompt-100k",
        group="prompts",
        title="Prompts of 100 kB",
        figures=_REQUESTS,
        ratios=_ANSWERS,
        connections=8,
        stream=False,
        prompt=100_000,
        fewer=1,
    ),
    Scenario(
        name="prompt-1m",
        group="prompts",
        title="Prompts of 1 MB",
        figures=_REQUESTS,
        ratios=_ANSWERS,
        connections=8,
        stream=False,
        prompt=1_000_000,
        fewer=1,
    ),
    Scenario(
        name="tls-json",
        group="tls",
        title="TLS upstream, 64 connections",
        figures=_REQUESTS,
        ratios=_ANSWERS,
        connections=64,
        stream=False,
        tls=True,
        fewer=1,
    ),
    Scenario(
        name="tls-paced-100",
        group="tls",
        title="TLS upstream, 100 streams at 20 chunks/s",
        figures=_PACED,
        ratios=_CHUNKS,
        connections=100,
        rate=20,
        ramp=_RAMP,
        tls=True,
        fewer=1,
    ),
    Scenario(
        name="stalled-1000",
        group="stalled",
        title="1,000 clients that stop reading, 20 MB offered to each",
        figures=("RSS MiB", "CPU %", "wrong"),
        ratios=("RSS MiB",),
        connections=1000,
        chunks=60000,
        ramp=1.0,
        stall=True,
        fewer=1,
    ),
)

OPENING = Pace(1.0, 0.2, 1)
OPEN = Scenario(
    name="open-1000", group="", title="Open streams", figures=("RSS MiB", "CPU %"), connections=1000, rate=2, ramp=2.0
)
"""Streams that are open and say little: what they hold."""
SHORT = Scenario(name="short", group="", title="Per request", figures=("CPU us/answer",), connections=8, stream=False)
"""The shortest answer a surface has: what is the same for every request."""
CHUNKS = Scenario(
    name="chunks",
    group="",
    title="Per chunk, one event a read",
    figures=("CPU us/chunk",),
    connections=50,
    rate=100,
    ramp=0.2,
)
"""Streams that are longer than the window: what every chunk costs, and nothing of a request."""
BATCHES = Scenario(
    name="batches",
    group="",
    title="Per chunk, many events a read",
    figures=("CPU us/chunk",),
    connections=4,
    chunks=2000,
)
"""Long bursts: what a chunk costs when reads bring many."""
COMPARED = (SHORT, CHUNKS, BATCHES)
"""What plugins are compared by."""
