"""Workers count together, outlive each other, and leave nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from residence import resident_kb

from gateway_metrics.catalog import METRICS, PLUGIN_SECONDS, REQUEST_SECONDS, REQUESTS, UNRECORDED
from gateway_metrics.shared import Sample, Shared
from gateway_metrics.tally import Tally, read_totals, sum_up

OK = ("chat", "ok", "200")
KEY = (REQUESTS.name, *OK)
DROPPED = ("gateway_usage_dropped_total",)
WORKER = """
import sys
from pathlib import Path
from gateway_metrics.catalog import REQUESTS
from gateway_metrics.shared import Sample, Shared

shared = Shared(Path(sys.argv[1]))
tally = shared.join()
shared.say(Sample([(("gateway_usage_dropped_total",), [3.0])], [(("gateway_workers",), 1.0)]))
for _ in range(7):
    tally.values[tally.series(REQUESTS, ("chat", "ok", "200"))] += 1
print("counted", flush=True)
sys.stdin.read()
tally.close()
shared.leave()
"""


class Worker:
    """Another process that counted seven requests."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", WORKER, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "counted\n"

    def leave(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)


def test_a_tally_counts_and_is_read_from_its_file(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "one.tally")
    for seconds in (0.005, 0.015, 100.0):
        tally.observe(tally.series(REQUEST_SECONDS, ("chat", "ok")), REQUEST_SECONDS, seconds)
    tally.values[tally.series(REQUESTS, OK)] += 2
    found = read_totals(tmp_path / "one.tally")
    assert found == tally.totals()
    assert found[KEY] == [2]
    numbers = found[REQUEST_SECONDS.name, "chat", "ok"]
    assert (numbers[0], numbers[1], numbers[-2], sum(numbers[:-1])) == (1, 1, 1, 3)
    assert numbers[-1] == pytest.approx(100.02)
    tally.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what of a mapping is in memory")
def test_only_what_is_used_of_it_takes_memory(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "one.tally")
    tally.values[tally.series(REQUESTS, OK)] += 1
    assert 0 < resident_kb(tmp_path / "one.tally") <= 256
    tally.close()


def test_what_finds_no_room_is_counted_as_lost_and_nothing_else_is_touched() -> None:
    tally = Tally()
    tally.values[tally.series(REQUESTS, OK)] += 1
    for number in range(50_000):
        tally.values[tally.series(REQUESTS, ("chat", "ok", str(number) * 10))] += 1
    tally.observe(tally.series(REQUEST_SECONDS, ("late" * 100, "ok")), REQUEST_SECONDS, 1.0)
    tally.observe_each([tally.series(PLUGIN_SECONDS, ("late" * 100, "stage"))], [1.0])
    totals = tally.totals()
    counted = sum(numbers[0] for key, numbers in totals.items() if key[0] == REQUESTS.name)
    assert totals[KEY] == [1]
    assert totals[(UNRECORDED.name,)][0] > 0
    assert counted + totals[(UNRECORDED.name,)][0] == 50_003


def test_sums_leave_out_what_another_version_counts_differently() -> None:
    assert sum_up([{KEY: [1.0]}, {KEY: [1.0, 2.0], DROPPED: [1.0]}, {KEY: [2.0]}]) == {KEY: [3.0], DROPPED: [1.0]}


def test_a_worker_that_left_and_one_that_was_killed_stay_in_the_sum(tmp_path: Path) -> None:
    shared = Shared(tmp_path / "metrics")
    tally = shared.join()
    tally.values[tally.series(REQUESTS, OK)] += 1
    one, other = Worker(tmp_path / "metrics"), Worker(tmp_path / "metrics")
    counted = shared.read()
    assert (counted.totals[KEY], counted.totals[DROPPED], len(counted.samples)) == ([15], [6], 3)
    one.leave()
    other.kill()
    counted = shared.read()
    assert (counted.totals[KEY], counted.totals[DROPPED], len(counted.samples)) == ([15], [6], 1)
    another = Worker(tmp_path / "metrics")  # it puts the killed one's numbers away
    assert len(list((tmp_path / "metrics").glob("*.tally"))) == 2
    assert (shared.read().totals[KEY], shared.read().totals[DROPPED]) == ([22], [9])
    another.leave()
    tally.close()
    shared.leave()
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["lock"]


def test_two_generations_of_one_process_say_what_the_process_counts_once(tmp_path: Path) -> None:
    old, new = Shared(tmp_path / "metrics"), Shared(tmp_path / "metrics")
    first, second = old.join(), new.join()
    first.values[first.series(REQUESTS, OK)] += 1
    second.values[second.series(REQUESTS, OK)] += 1
    for shared in (old, new):
        shared.say(Sample([(DROPPED, [5.0])], []))
    assert (new.read().totals[KEY], new.read().totals[DROPPED], len(new.read().samples)) == ([2], [5], 1)
    first.close()
    old.leave()
    assert (new.read().totals[KEY], new.read().totals[DROPPED]) == ([2], [5])
    second.close()
    new.leave()


def test_what_was_put_away_and_not_removed_counts_once(tmp_path: Path) -> None:
    """A worker may be killed between the two steps."""
    shared = Shared(tmp_path)
    tally = shared.join()
    Worker(tmp_path).kill()
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.*")}
    late = Shared(tmp_path)
    late_tally = late.join()
    for name, content in before.items():
        if not (tmp_path / name).exists():
            (tmp_path / name).write_bytes(content)
    assert (late.read().totals[KEY], late.read().totals[DROPPED]) == ([7], [3])
    Worker(tmp_path).leave()
    assert (shared.read().totals[KEY], shared.read().totals[DROPPED]) == ([14], [6])
    for counts, part in ((late_tally, late), (tally, shared)):
        counts.close()
        part.leave()


def test_who_comes_when_nobody_lives_begins_anew(tmp_path: Path) -> None:
    Worker(tmp_path).kill()
    assert list(tmp_path.glob("*.tally"))
    shared = Shared(tmp_path)
    tally = shared.join()
    assert KEY not in shared.read().totals
    tally.close()
    shared.leave()


def test_the_files_are_for_nobody_else(tmp_path: Path) -> None:
    shared = Shared(tmp_path / "metrics")
    tally = shared.join()
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o700
    (part,) = (tmp_path / "metrics").glob("*.tally")
    assert part.stat().st_mode & 0o777 == 0o600
    tally.close()
    shared.leave()


def test_names_are_as_prometheus_wants_them() -> None:
    for metric in METRICS:
        assert metric.name.startswith("gateway_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert list(metric.buckets) == sorted(set(metric.buckets))
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("size", [0, 1, 700_000])
def test_a_part_whose_worker_was_killed_while_it_made_it_counts_nothing_and_stops_nobody(
    tmp_path: Path, size: int
) -> None:
    first = Shared(tmp_path)
    tally = first.join()
    tally.values[tally.series(REQUESTS, OK)] += 1
    (tmp_path / "host_1-abcdef.tally").write_bytes(bytes(size))
    assert first.read().totals[KEY] == [1]
    second = Shared(tmp_path)
    other = second.join()  # which puts the parts of the dead away
    assert first.read().totals[KEY] == [1]
    assert not (tmp_path / "host_1-abcdef.tally").exists()
    for one in (tally, other):
        one.close()
    second.leave()
    first.leave()
