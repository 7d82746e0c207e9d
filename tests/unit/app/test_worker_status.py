"""Serving processes tell each other what they serve."""

import os
from pathlib import Path

import msgspec

from gateway.api import WorkerStatus
from gateway.app.workers import Workers


def status(pid: int, generation: int = 1) -> WorkerStatus:
    return WorkerStatus(pid=pid, generation=generation, revision=generation)


def another(folder: Path, pid: int, *, content: bytes | None = None, age: float = 0) -> Path:
    """The file of another process."""
    file = folder / "workers" / f"{pid}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.encode(status(pid)) if content is None else content)
    os.utime(file, (file.stat().st_mtime - age,) * 2)
    return file


def test_each_tells_and_reads_the_others_only(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    workers.tell(status(os.getpid(), 7))
    another(tmp_path, 4_000_002)
    another(tmp_path, 4_000_001)
    assert [one.pid for one in workers.others()] == [4_000_001, 4_000_002]
    own = tmp_path / "workers" / f"{os.getpid()}.json"
    assert msgspec.json.decode(own.read_bytes(), type=WorkerStatus).generation == 7
    assert own.stat().st_mode & 0o777 == 0o600


def test_one_that_was_killed_vanishes_after_a_while(tmp_path: Path) -> None:
    file = another(tmp_path, 4_000_001, age=60)
    assert Workers(tmp_path).others() == []
    assert not file.exists()


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    another(tmp_path, 4_000_001, content=b"{")
    assert Workers(tmp_path).others() == []


def test_one_that_ends_is_gone_at_once(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    workers.tell(status(os.getpid()))
    workers.leave()
    workers.leave()
    assert list((tmp_path / "workers").iterdir()) == []
