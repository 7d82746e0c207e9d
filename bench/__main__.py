"""`python -m bench`: measure, print the tables, write docs/benchmarks.md when told to."""

import argparse
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.contestants import installed, peers
from bench.gateways import shipped
from bench.machine import description, others_busy, two_cores
from bench.page import Damaged, Run, by_hand, continued, read, rewritten
from bench.report import Table, markdown
from bench.scenarios import FULL, QUICK, SCENARIOS
from bench.session import GROUPS, HEADLINES, WHOLE, session
from bench.target import Unavailable
from bench.tools import ROOT, ToolMissing

_PAGE = Path(os.path.relpath(ROOT / "docs" / "benchmarks.md"))
_BUSY = 0.2


def main() -> int:
    """Run what the command line says."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    pace = QUICK if options.quick else FULL
    pace = msgspec.structs.replace(
        pace, seconds=options.seconds or pace.seconds, repeats=options.repeats or pace.repeats
    )
    busy = others_busy()
    if busy > _BUSY:
        print(f"note: other processes keep {busy:.1f} cores busy; wall-clock figures will suffer", file=sys.stderr)
    print(f"the gateway is measured with: {', '.join(shipped())}", file=sys.stderr)
    tables: list[Table] = []
    try:
        if options.write:
            by_hand(read(options.page))  # half an hour later would be late to see that it is damaged
        with session(pace, two_cores()) as made:
            for table in made.run(options.scenarios, options.surfaces, options.contestants):
                tables.append(table)
                print(f"\n{markdown(table)}", flush=True)
            missing = [*options.absent, *made.missing]
        for line in missing:
            print(f"not measured: {line}")
        if options.write or options.add:
            run = Run(
                command=options.command,
                day=datetime.now(UTC).date(),
                machine=description(),
                plugins=shipped(),
                tables=tables,
                left_out=missing,
                busy=busy if busy > _BUSY else 0.0,
            )
            made_of = continued if options.add else rewritten
            options.page.write_text(made_of(read(options.page), run), "utf-8")
            print(f"wrote {options.page}")
    except Damaged as error:
        print(f"bench: {options.page}: {error}", file=sys.stderr)
        return 1
    except (ToolMissing, Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _options() -> argparse.Namespace:
    names = (*GROUPS, *(scenario.name for scenario in SCENARIOS))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--scenarios", metavar="NAME,...", type=_listed, help=f"of: {', '.join(names)} (default: {', '.join(WHOLE)})"
    )
    parser.add_argument(
        "--contestants",
        metavar="NAME,...",
        default=[],
        type=_listed,
        help=f"of: {', '.join(peers())}; installed: those that are; all: install what is not",
    )
    parser.add_argument(
        "--surfaces", metavar="NAME,...", default=["chat", "custom"], type=_listed, help="of: chat, custom"
    )
    parser.add_argument("--quick", action="store_true", help="short runs of the headline scenarios")
    parser.add_argument("--seconds", type=float, help="length of one run's window")
    parser.add_argument("--repeats", type=int, help="runs of each")
    parser.add_argument("--write", action="store_true", help="write the page anew, around what stands there by hand")
    parser.add_argument("--add", action="store_true", help="write it behind what the page says already")
    parser.add_argument("--page", type=Path, default=_PAGE, help="the page (default: docs/benchmarks.md)")
    options = parser.parse_args()
    options.command = " ".join(["python -m bench", *sys.argv[1:]])
    options.scenarios = options.scenarios or list(HEADLINES if options.quick else WHOLE)
    options.absent = []
    if options.contestants == ["all"]:
        options.contestants = list(peers())
    if options.contestants == ["installed"]:
        options.contestants = list(installed())
        absent = [name for name in peers() if name not in options.contestants]
        options.absent = [f"{name}: not installed; make bench CONTESTANTS=all installs it" for name in absent]
    for given, known in (
        (options.scenarios, names),
        (options.contestants, tuple(peers())),
        (options.surfaces, ("chat", "custom")),
    ):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


sys.exit(main())
