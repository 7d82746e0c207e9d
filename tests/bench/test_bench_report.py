"""What the benchmarks say: figures, tables, and a whole short run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gateways import Variant, World, running, shipped
from bench.noop import KINDS, write_plugins
from bench.report import Table, markdown, shown
from bench.rounds import Spread
from bench.scenarios import FULL, SCENARIOS
from bench.target import Unavailable

ROOT = Path(__file__).parents[2]


def test_a_figure_is_its_median_with_the_least_and_the_greatest() -> None:
    assert shown(Spread.of([3.0, 1.0, 20.04])) == "3.0 (1.0 to 20.0)"
    assert shown(Spread.of([12345.6])) == "12,346"
    assert shown(None) == "-"


def test_a_difference_is_not_fooled_by_rounds_that_were_disturbed() -> None:
    quiet = [(105.0 + number % 3, 100.0 + number % 3) for number in range(30)]
    disturbed = [(180.0, 100.0), (105.0, 300.0)] * 5
    spread = Spread.of_difference(quiet + disturbed)
    assert spread.low <= 5.0 <= spread.high
    assert spread.median == pytest.approx(5.0, abs=1.0)


def test_a_table_is_markdown_whose_columns_line_up() -> None:
    text = markdown(Table("Title", ["", "one"], [["a", "1"], ["long name", "1,000"]]))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert text.startswith("### Title\n")
    assert len({len(line) for line in lines}) == 1


def test_a_paced_stream_outlasts_its_window() -> None:
    for scenario in SCENARIOS:
        if scenario.group == "paced":
            assert scenario.length(FULL) / scenario.rate > scenario.ramp + FULL.warmup + scenario.window(FULL)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_plugins_that_do_nothing_keep_the_contract(kind: str, tmp_path: Path) -> None:
    """Importing them and calling their hook is enough to see that they fit the code they are measured in."""
    (file,) = write_plugins(kind, 1, tmp_path)
    names: dict[str, object] = {}
    exec(compile(file.read_text("utf-8"), file.name, "exec"), names)
    hook = names[KINDS[kind][0]]
    assert callable(hook)
    assert len(hook()) == 1


def test_a_gateway_without_one_of_its_default_plugins_is_not_measured(tmp_path: Path) -> None:
    """An installation older than the checkout starts without what came later, and is faster."""
    world = World(tmp_path, frozenset(os.sched_getaffinity(0)), "http://127.0.0.1:1/v1")
    stale = Variant("stale", environ={"GATEWAY_PLUGINS__METRICS__ENABLED": "false"})
    with pytest.raises(Unavailable, match=r"runs without metrics: .* pip install"), running(world, stale):
        pass
    assert {"metrics", "keys", "ledger"} <= set(shipped())


@pytest.mark.timeout(300)
def test_a_short_run_measures_the_running_gateway(bench_tools: None) -> None:
    words = ("--scenarios", "burst-100", "--surfaces", "custom", "--quick", "--repeats", "1", "--seconds", "0.2")
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("| ")}
    heads = [cell.strip() for cell in rows[""].split("|")]
    for name in ("gateway custom", "no gateway"):
        cells = [cell.strip() for cell in rows[name].split("|")]
        assert float(cells[heads.index("wrong")].split()[0]) == 0, done.stderr
        assert float(cells[heads.index("chunks/s")].split()[0].replace(",", "")) > 0
