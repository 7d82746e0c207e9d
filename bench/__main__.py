"""`python -m bench`: measure, print the tables, write docs/benchmarks.md when told to."""

import argparse
import signal
import sys
from datetime import UTC, datetime

import msgspec

from bench.contestants import peers
from bench.gateways import shipped
from bench.machine import description, others_busy, two_cores
from bench.report import Table, markdown
from bench.scenarios import FULL, QUICK, SCENARIOS, SHORT_RUNS
from bench.session import GROUPS, HEADLINES, SHORTER, session
from bench.target import Unavailable
from bench.tools import ROOT, ToolMissing

_PAGE = ROOT / "docs" / "benchmarks.md"
_BUSY = 0.2
_BEGIN, _END = "<!-- by hand -->\n", "<!-- measured -->\n"
_INTRODUCTION = """# Benchmarks

Measured by `{command}` on {date}: {machine}.

The server runs on one core, the upstream and the load client (both C, `bench/`) on another; HTTP/1.1 with keep-alive on
loopback. Events have about 350 bytes and carry the time of their sending, so transit is measured on one clock. Every
answer is checked; *wrong* counts those that were cut, changed or refused. The rows of a table are runs in turn,
{repeats} of {seconds:g} s each: a figure is their median, with the least and the greatest. CPU is the server's process
time, user and system. Absolute times move with the machine: compare within one table.

The gateway has one worker and, unless a table says otherwise, all its default plugins: {plugins}.
"""


def main() -> int:
    """Run what the command line says."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    pace = QUICK if options.quick else SHORT_RUNS if options.short else FULL
    pace = msgspec.structs.replace(
        pace, seconds=options.seconds or pace.seconds, repeats=options.repeats or pace.repeats
    )
    busy = others_busy()
    if busy > _BUSY:
        print(f"note: other processes keep {busy:.1f} cores busy; wall-clock figures will suffer", file=sys.stderr)
    print(f"the gateway is measured with: {', '.join(shipped())}", file=sys.stderr)
    tables: list[Table] = []
    try:
        with session(pace, two_cores()) as made:
            for table in made.run(options.scenarios, options.surfaces, options.contestants):
                tables.append(table)
                print(f"\n{markdown(table)}", flush=True)
            missing = made.missing
    except (ToolMissing, Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for line in missing:
        print(f"not measured: {line}")
    if options.write or options.add:
        load = f"Other processes kept {busy:.1f} cores busy when it began." if busy > _BUSY else ""
        head = _INTRODUCTION.format(
            command=options.command,
            date=datetime.now(UTC).date(),
            machine=description(),
            plugins=", ".join(shipped()),
            repeats=pace.repeats,
            seconds=pace.seconds,
        )
        said = "" if options.add else _by_hand()
        left_out = [f"Not measured: {line}" for line in missing]
        parts = [head, load, said, *(markdown(table) for table in tables), *left_out]
        text = "\n".join(part for part in parts if part).rstrip() + "\n"
        if options.add and _PAGE.exists():
            text = f"{_PAGE.read_text('utf-8')}\n{text.replace('# Benchmarks', '# Another run', 1)}"
        _PAGE.write_text(text, "utf-8")
        print(f"wrote {_PAGE.relative_to(ROOT)}")
    return 0


def _by_hand() -> str:
    """What somebody wrote on the page about the figures, to be read again beside the new ones."""
    page = _PAGE.read_text("utf-8") if _PAGE.exists() else ""
    _, begin, rest = page.partition(_BEGIN)
    told, end, _ = rest.partition(_END)
    return f"{begin}{told}{end}\n" if begin and end else ""


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _options() -> argparse.Namespace:
    names = (*GROUPS, *(scenario.name for scenario in SCENARIOS))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--scenarios", metavar="NAME,...", type=_listed, help=f"of: {', '.join(names)} (default: all)")
    parser.add_argument(
        "--contestants", metavar="NAME,...", default=[], type=_listed, help=f"of: {', '.join(peers())}, all"
    )
    parser.add_argument(
        "--surfaces", metavar="NAME,...", default=["chat", "custom"], type=_listed, help="of: chat, custom"
    )
    parser.add_argument("--quick", action="store_true", help="short runs of the headline scenarios")
    parser.add_argument("--short", action="store_true", help="shorter runs of everything but plugins and extras")
    parser.add_argument("--seconds", type=float, help="length of one run's window")
    parser.add_argument("--repeats", type=int, help="runs of each")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--add", action="store_true", help="write it behind what docs/benchmarks.md says already")
    options = parser.parse_args()
    options.command = " ".join(["python -m bench", *sys.argv[1:]])
    options.scenarios = options.scenarios or list(HEADLINES if options.quick else SHORTER if options.short else GROUPS)
    if options.contestants == ["all"]:
        options.contestants = list(peers())
    for given, known in (
        (options.scenarios, names),
        (options.contestants, tuple(peers())),
        (options.surfaces, ("chat", "custom")),
    ):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


sys.exit(main())
