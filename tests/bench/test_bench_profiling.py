"""Where the CPU time goes: what the sampler found becomes shares of what a request costs."""

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench.field import Field
from bench.profiling import PROFILED, profile_tables
from bench.report import Table
from bench.rounds import Progress, Rounds
from bench.scenarios import Pace
from bench.target import Target, Unavailable, chat_body
from bench.tools import Upstream

CORES = frozenset(os.sched_getaffinity(0))
PACE = Pace(0.1, 0.05, 1, 0.05)
PERF = """#!{python}
import signal, sys
word, given = sys.argv[1], dict(zip(sys.argv[1:], sys.argv[2:]))
if word == "record":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    open(given["-o"], "w").write(given["-p"])
    signal.pause()
else:
    sampled = open(given["-i"]).read()
    for name, count in {found}[given["--sort"]].items():
        print(f"  1.00%\\t{{count}}\\t{{name.replace('PID', sampled)}}")
"""
"""In perf's place: tells what it is told to have found, of the process that it was asked to sample."""


def a_perf(folder: Path, dsos: dict[str, int], threads: dict[str, int]) -> str:
    """A PATH on which it is found."""
    program = folder / "bin" / "perf"
    program.parent.mkdir()
    program.write_text(PERF.format(python=sys.executable, found={"dso": dsos, "pid": threads}), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{program.parent}:{os.environ['PATH']}"


def profiled(folder: Path) -> Sequence[Table]:
    """The profiles of the upstream, asked without anything in between."""
    with Upstream(CORES) as upstream, Field([upstream.pid], 0.05) as field:
        target = Target("upstream", upstream.port, (upstream.pid,), chat_body, shared=True)
        field.enter(lambda: nullcontext([target]))
        rounds = Rounds(PACE, CORES, {False: upstream.pid}, folder, Progress(1.0))
        return list(profile_tables(field, rounds, folder))


def test_the_cost_is_shared_out_by_library_and_by_thread(
    bench_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsos = {"[kernel.kallsyms]": 20, "libpython3.11.so.1.0": 40, "_core.cpython-311.so": 10, "libodd.so": 30}
    threads = {"PID:server": 75, "1:another": 25}
    monkeypatch.setenv("PATH", a_perf(tmp_path, dsos, threads))
    tables = profiled(tmp_path)
    assert len(tables) == len(PROFILED)
    for table in tables:
        unit = table.columns[1].removeprefix("upstream: ")
        assert unit in ("CPU us/answer", "CPU us/chunk")
        shares = {row[0]: float(row[2]) for row in table.rows}
        expected = {"the kernel": 20, "Python: its interpreter and objects": 40, "msgspec": 10, "the rest": 30}
        assert {name: share for name, share in shares.items() if share and "thread" not in name} == expected
        assert (shares["the event loop's thread"], shares["other threads"]) == (75, 25)
        costs = {row[0]: float(row[1].replace(",", "")) for row in table.rows}
        whole = costs["the event loop's thread"] + costs["other threads"]
        assert costs["Python: its interpreter and objects"] == pytest.approx(0.4 * whole, abs=0.2)
    assert any(float(table.rows[0][1].replace(",", "")) > 0 for table in tables)


def test_a_sampler_that_is_not_allowed_to_sample_is_told(
    bench_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", a_perf(tmp_path, {}, {}))
    with pytest.raises(Unavailable, match="took no samples"):
        profiled(tmp_path)


def test_without_a_sampler_it_is_told_what_to_install(
    bench_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="apt-get install linux-perf"):
        profiled(tmp_path)
