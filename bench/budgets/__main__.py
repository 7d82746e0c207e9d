"""`python -m bench.budgets`: count, print the table, and say what is over its budget."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.budgets.costs import SHARE, Finding, judged, load, python, save
from bench.budgets.lockstep import Counted, Lost
from bench.budgets.measuring import PLANTED, REGRESSION, all_costs, measured, noticed
from bench.budgets.page import PAGE, written
from bench.budgets.shapes import SHAPES
from bench.report import Table, markdown
from bench.target import Unavailable
from bench.tools import ROOT, ToolMissing


def main() -> int:
    """Run what the command line says; 1 when a budget is broken, or does not notice what is planted."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the gateway is ended on the way out
    if options.functions:
        return _functions(options.functions)
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-budgets-") as folder, measured(Path(folder)) as gateway:
            counted = all_costs(gateway)
            missed = [
                part
                for part, shape in PLANTED.items()
                if options.plant and not _shown(part, noticed(gateway, part, counted[shape]))
            ]
    except (Counted, Lost, ToolMissing, Unavailable) as error:
        print(f"budgets: {error}", file=sys.stderr)
        return 2
    findings = list(judged(counted, load()))
    for shape in SHAPES:
        told = [one for one in findings if one.shape == shape.name and (options.parts or _matters(one))]
        print(f"\n{markdown(_table(shape.title, told))}", end="")
    if options.accept:
        file = save(counted)
        PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
        print(f"\nwrote {file.relative_to(ROOT)}, and the table in {PAGE.relative_to(ROOT)}")
        return 0
    return _judgement(findings) or bool(missed)


def _functions(name: str) -> int:
    """Which functions a shape's bytecodes are in, the dearest first."""
    shape = next(shape for shape in SHAPES if shape.name == name)
    with (
        tempfile.TemporaryDirectory(prefix="gateway-budgets-") as folder,
        measured(Path(folder), by_function=True) as one,
    ):
        costs = one.costs(shape, ("python",))
    told = [(cost, measure.removeprefix("bytecodes ")) for measure, cost in costs.items() if ":" in measure]
    told = [(cost, name) for cost, name in told if not name.startswith("calls of C ")]
    told.sort(key=lambda row: -(row[0].request + 20 * row[0].chunk))
    rows = [[name, f"{cost.request:,.0f}", f"{cost.chunk:,.1f}"] for cost, name in told]
    print(markdown(Table(f"{shape.title}: bytecodes by function", ["", "a request", "a chunk"], rows)))
    return 0


def _matters(finding: Finding) -> bool:
    """Sums and what the loop and the system do are always told, a part when it changed."""
    of_a_part = finding.measure.startswith(("bytecodes ", "calls of C "))
    return not of_a_part or finding.over or finding.under


def _table(title: str, findings: Sequence[Finding]) -> Table:
    rows = [
        [
            one.measure,
            one.unit,
            f"{one.counted:,.1f}",
            f"{one.stored:,.1f}",
            f"{one.most:,.1f}",
            "OVER" if one.over else "better" if one.under else "",
        ]
        for one in findings
    ]
    return Table(title, ["", "of each", "counted", "stored", "allowed", ""], rows)


def _judgement(findings: Sequence[Finding]) -> int:
    over = [one for one in findings if one.over]
    if not any(one.stored for one in findings):
        print(f"\nThere are no stored costs for Python {python()}: make budgets-accept")
        return 1
    if over:
        print(
            f"\n{len(over)} costs are over their budgets, {SHARE:.0%} above what is stored. What is meant to cost more:"
        )
        print("make budgets-accept, and say why in the commit.")
        return 1
    if any(one.under for one in findings):
        print("\nAll budgets are kept, some by far: make budgets-accept keeps what was won.")
    else:
        print("\nAll budgets are kept.")
    return 0


def _shown(part: str, findings: Sequence[Finding]) -> bool:
    """Tell what noticed the regression; whether the request's budget did and the chunk's."""
    told = ", ".join(
        f"{one.measure} of each {one.unit} ({one.counted:,.0f}, {one.most:,.0f} allowed)" for one in findings
    )
    print(f"{REGRESSION:.0%} more in {part}: {told or 'NOT NOTICED'}")
    return {one.unit for one in findings if one.measure == f"bytecodes {part}"} == {"request", "chunk"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.budgets", description=__doc__)
    parser.add_argument("--parts", action="store_true", help="show every part of the gateway")
    parser.add_argument("--accept", action="store_true", help="let what is counted be the measure from now on")
    parser.add_argument("--plant", action="store_true", help="also plant regressions and see that they are noticed")
    parser.add_argument(
        "--functions", metavar="SHAPE", choices=[shape.name for shape in SHAPES], help="only tell a shape's functions"
    )
    return parser.parse_args()


sys.exit(main())
