"""Serving processes tell each other what they serve."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from gateway.api import WorkerStatus
from gateway.app.workers import Workers


def status(pid: int, generation: int = 1) -> WorkerStatus:
    return WorkerStatus(pid=pid, generation=generation, revision=generation)


TELLING = """
import sys
from pathlib import Path
from gateway.api import WorkerStatus
from gateway.app.workers import Workers

workers = Workers(Path(sys.argv[1]))
for revision in (1, 2):
    workers.tell(WorkerStatus(pid=1, generation=1, revision=revision))
print("told", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def leaving() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def another(tmp_path: Path, leaving: ExitStack) -> Callable[..., Path]:
    """Makes the file of another process that lives."""

    def make(pid: int, *, content: bytes | None = None, age: float = 0) -> Path:
        file = tmp_path / "workers" / f"{pid}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(msgspec.json.encode(status(pid)) if content is None else content)
        fcntl.flock(leaving.enter_context(file.open("rb")), fcntl.LOCK_EX)
        os.utime(file, (file.stat().st_mtime - age,) * 2)
        return file

    return make


def test_each_tells_and_reads_the_others_only(tmp_path: Path, another: Callable[..., Path], leaving: ExitStack) -> None:
    workers = Workers(tmp_path)
    leaving.callback(workers.leave)
    workers.tell(status(os.getpid(), 7))
    another(4_000_002)
    another(4_000_001)
    assert [one.pid for one in workers.others()] == [4_000_001, 4_000_002]
    own = tmp_path / "workers" / f"{os.getpid()}.json"
    assert msgspec.json.decode(own.read_bytes(), type=WorkerStatus).generation == 7
    assert own.stat().st_mode & 0o777 == 0o600


def test_one_that_was_killed_is_gone_at_once_and_not_before(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", TELLING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"told\n"
        assert [one.revision for one in workers.others()] == [2]
        process.kill()
        process.wait()
    assert workers.others() == []
    assert list((tmp_path / "workers").iterdir()) == []


def test_one_that_is_silent_for_too_long_counts_no_more(tmp_path: Path, another: Callable[..., Path]) -> None:
    file = another(4_000_001, age=60)
    assert Workers(tmp_path).others() == []
    assert not file.exists()


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, another: Callable[..., Path]) -> None:
    another(4_000_001, content=b"{")
    assert Workers(tmp_path).others() == []


def test_one_that_ends_is_gone_at_once(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    workers.tell(status(os.getpid()))
    workers.leave()
    workers.leave()
    workers.tell(status(os.getpid(), 2))
    assert list((tmp_path / "workers").iterdir()) == []
