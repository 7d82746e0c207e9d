"""Contestants take turns: who has no turn is stopped, who stays busy is started anew, and the report tells it."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bench.field import Field
from bench.machine import cpu_seconds, family
from bench.report import scenario_table, summary_table
from bench.rounds import Progress, Rounds
from bench.scenarios import Pace, Scenario
from bench.target import Ask, Target, Unavailable, chat_body, started
from bench.tools import Upstream

CORES = frozenset(os.sched_getaffinity(0))
SERVER = """
import os, signal, subprocess, sys, time
spinning = "spins" in sys.argv
def spin(*_):
    global spinning
    spinning = True
signal.signal(signal.SIGUSR1, spin)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("Listening", flush=True)
while True:
    while not spinning:
        signal.pause()
"""
"""It rests until SIGUSR1; then it is busy for ever. It has a child."""


class Spinner:
    """Starts such servers under one name, and remembers all that it started."""

    def __init__(self, folder: Path, name: str = "spinner", port: int = 1, spins_from: int = 99) -> None:
        self.folder = folder
        self.name = name
        self.port = port
        self.spins_from = spins_from
        self.started: list[int] = []

    @contextmanager
    def __call__(self) -> Iterator[Sequence[Target]]:
        spins = ["spins"] if len(self.started) >= self.spins_from else []
        with started([sys.executable, "-c", SERVER, *spins], CORES, self.folder / self.name, os.environ) as server:
            server.wait_for("^(Listening)$")
            self.started.append(server.process.pid)
            yield [Target(self.name, self.port, server.pids, self.spin_and_ask)]

    def spin(self) -> None:
        os.kill(self.started[-1], signal.SIGUSR1)

    def spin_and_ask(self, ask: Ask) -> bytes:
        self.spin()
        return chat_body(ask)


def states(pid: int) -> set[str]:
    """What a server and its child do: T is stopped."""
    return {Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[0] for one in family(pid)}


def is_running(pid: int) -> bool:
    """Whether it is neither gone nor waiting to be told of."""
    try:
        return states(pid) != {"Z"}
    except OSError:
        return False


def test_only_the_one_whose_turn_it_is_runs(tmp_path: Path) -> None:
    first, second = Spinner(tmp_path, "first"), Spinner(tmp_path, "second")
    with Field((), 0.05) as field:
        field.enter(first)
        field.enter(second)
        assert [target.name for target in field.targets] == ["first", "second"]
        assert states(first.started[0]) == states(second.started[0]) == {"T"}
        with field.turn("second", "a scenario") as target:
            assert target.pids == family(second.started[0])
            assert len(target.pids) == 2
            assert (states(first.started[0]), states(second.started[0])) == ({"T"}, {"S"})
        assert states(second.started[0]) == {"T"}
        assert not field.anew
    assert not any(Path(f"/proc/{pid}").exists() for pid in (*first.started, *second.started))


def test_one_that_stays_busy_is_started_anew_before_anything_else_runs(tmp_path: Path) -> None:
    spinner = Spinner(tmp_path)
    with Field((), 0.05, patience=0.3) as field:
        field.enter(spinner)
        with field.turn("spinner", "a scenario"):
            spinner.spin()
        assert len(spinner.started) == 2
        assert not Path(f"/proc/{spinner.started[0]}").exists()
        assert states(spinner.started[1]) == {"T"}
        assert field.anew == {("a scenario", "spinner"): 1}
        with field.turn("spinner", "another scenario") as target:
            assert target.pids == family(spinner.started[1])
        assert field.anew == {("a scenario", "spinner"): 1}


def test_one_that_never_rests_is_not_measured_and_does_not_run_on(tmp_path: Path) -> None:
    spinner = Spinner(tmp_path, spins_from=1)
    with Field((), 0.05, patience=0.1) as field:
        field.enter(spinner)
        with pytest.raises(Unavailable, match="does not come to rest"), field.turn("spinner", "a scenario"):
            spinner.spin()
        assert not any(Path(f"/proc/{pid}").exists() for pid in spinner.started)
        with pytest.raises(Unavailable), field.turn("spinner", "another scenario"):
            pytest.fail("it is gone")


def test_children_do_not_outlive_their_server(tmp_path: Path) -> None:
    with Spinner(tmp_path)() as (target,):
        _, child = target.pids
    while is_running(child):
        time.sleep(0.01)


def test_one_that_is_busy_from_its_start_does_not_enter(tmp_path: Path) -> None:
    with Field((), 0.05, patience=0.1) as field:
        with pytest.raises(Unavailable, match="does not come to rest"):
            field.enter(Spinner(tmp_path, spins_from=0))
        assert not field.targets


def test_what_serves_the_others_is_never_stopped(tmp_path: Path) -> None:
    with Spinner(tmp_path)() as (target,), Field((), 0.05) as field:
        shared = Target("shared", 1, target.pids, chat_body, shared=True)
        field.enter(lambda: nullcontext([shared]))
        with field.turn("shared", "a scenario"):
            pass
        assert states(target.pids[0]) == {"S"}


def test_the_time_of_a_busy_process_is_counted_and_of_none_that_is_gone(tmp_path: Path) -> None:
    spinner = Spinner(tmp_path)
    with spinner() as (target,):
        before = cpu_seconds(target.pids)
        spinner.spin()
        while cpu_seconds(target.pids) - before < 0.05:
            os.sched_yield()
    assert cpu_seconds(target.pids[:1]) == 0.0


def test_the_report_tells_who_stayed_busy_beside_the_figures(bench_tools: None, tmp_path: Path) -> None:
    """The spinner's port is the upstream's: answers are right, and the process that is watched spins behind them."""
    figures = ("answers/s", "wrong")
    scenario = Scenario(
        name="s", group="g", title="Asked", figures=figures, ratios=figures[:1], connections=1, stream=False
    )
    with Upstream(CORES) as upstream:
        spinner, pace = Spinner(tmp_path, port=upstream.port), Pace(0.1, 0.05, 2, 0.05)
        rounds = Rounds(pace, CORES, {False: upstream.pid}, tmp_path, Progress(1.0))
        with Field([upstream.pid], 0.05, patience=0.3) as field:
            field.enter(spinner)
            rounds.run([scenario], field)
    table = scenario_table(scenario, rounds, ["spinner"], "spinner")
    assert table.note == "2 runs of 0.1 s each. spinner stayed busy after its run, and was started anew 2 times."
    ((name, answers, wrong, ratio),) = table.rows
    assert (name, wrong, ratio) == ("spinner", "0.0", "1.00")
    assert float(answers.split()[0].replace(",", "")) > 0
    ((title, figure, summed),) = summary_table([scenario], rounds, ["spinner"], "spinner").rows
    assert (title, figure, summed) == ("Asked", "answers/s", answers.split()[0])
