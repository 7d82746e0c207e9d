"""docs/benchmarks.md: what a run found, around what somebody wrote about it by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import msgspec

from bench.report import Table, markdown

CONTEST, NEEDS, PROFILE, PLUGINS = (
    "Beside others",
    "What it needs, and two workers",
    "Where the CPU time goes",
    "What plugins cost",
)
"""The parts of the page."""
_EXPLAINED: Mapping[str, str] = {
    CONTEST: """\
Who is not measured meanwhile is stopped, so every row had the core to itself. The targets take turns, and the first of
them alternates: a figure is the median of its runs, with the least and the greatest. *to ours* is the ratio to the
first row: 2.00 under *answers/s* is twice as many, under *CPU us* twice as dear. *No gateway* is the upstream, asked
without anything in between; *bare litestar* forwards bytes on the same stack and does nothing else. *RSS* is what the
process holds at that time, after whatever it was asked before.""",
    PROFILE: """\
Sampled by `perf` with the kernel's clock. Being sampled costs something: compare the shares, and take what a request
costs from the tables above.""",
    PLUGINS: """\
CPU time in us: first the base, median, least and greatest; then how much more the others take, with the 95 % interval,
**bold** where that does not hold zero. The variants take turns; what is told is the median of the differences within a
round, so that what slows the machine down for a while weighs on both. *The event loop's thread* is measured
inside the process: the real gateway is fed read by read with the upstream's own bytes, from a request's arrival to
ASGI's `send`, without sockets, egress and uvicorn, and without most of what is written in the background. That tells a
microsecond. *The whole process* has all of it, and tells some twenty.""",
}
_BEGIN, _END = "<!-- by hand -->\n", "<!-- measured -->\n"
_INTRODUCTION = """# Benchmarks

Measured by `{command}` on {day}: {machine}.

The server runs on one core, the upstream and the load client (both C, `bench/`) on another; HTTP/1.1 with keep-alive on
loopback. Events have about 350 bytes and carry the time of their sending, so transit is measured on one clock. Every
answer is checked; *wrong* counts those that were cut, changed or refused. CPU is the server's process time, user and
system. Absolute times move with the machine: compare within one table.

The gateway has one worker and, unless a table says otherwise, all its default plugins: {plugins}.
"""


class Damaged(Exception):
    """The page cannot be written anew without losing what is on it; the message says what to mend."""


class Run(msgspec.Struct, frozen=True):
    """What one run was, and found."""

    command: str
    day: date
    machine: str
    plugins: Sequence[str]
    tables: Sequence[Table]
    left_out: Sequence[str] = ()
    """What was asked for and is not there, with the reason."""
    busy: float = 0.0
    """How many cores others kept busy when it began."""


def by_hand(page: str) -> str:
    """The block that somebody wrote about the figures, with its marks; raises `Damaged` when one of them is lost."""
    begins, ends = _BEGIN in page, _END in page
    if begins != ends:
        found, lost = (_BEGIN, _END) if begins else (_END, _BEGIN)
        raise Damaged(
            f"there is {found.strip()} without {lost.strip()}: what stands between both is kept, so mark both"
        )
    told = page.partition(_BEGIN)[2].partition(_END)[0]
    return f"{_BEGIN}{told}{_END}" if begins else ""


def rewritten(page: str, run: Run) -> str:
    """The page of this run; what was written by hand is kept, to be read again beside the new figures."""
    return _joined([*_head(run), by_hand(page), *_found(run)])


def continued(page: str, run: Run) -> str:
    """The page with another run behind what it says."""
    head, *more = _head(run)
    return _joined([page.rstrip() + "\n", head.replace("# Benchmarks", "# Another run", 1), *more, *_found(run)])


def _head(run: Run) -> list[str]:
    head = _INTRODUCTION.format(command=run.command, day=run.day, machine=run.machine, plugins=", ".join(run.plugins))
    return [head, f"Other processes kept {run.busy:.1f} cores busy when it began.\n" if run.busy else ""]


def _found(run: Run) -> list[str]:
    parts = []
    for section, tables in groupby(run.tables, lambda table: table.section):
        parts.append("\n".join(filter(None, (f"## {section}\n", _EXPLAINED.get(section, "")))).rstrip() + "\n")
        parts += [markdown(table) for table in tables]
    if run.left_out:
        parts.append("## Not measured\n\n" + "".join(f"- {line}\n" for line in run.left_out))
    return parts


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(filter(None, parts)).rstrip() + "\n"


def read(path: Path) -> str:
    """The page as it is; empty when there is none."""
    return path.read_text("utf-8") if path.exists() else ""
