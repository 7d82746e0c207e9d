"""A worker that replaces another and does not start costs nobody else: it is started again."""

import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.server import STARTUP_FAILURE, Supervisor

STARTS = "TEST_STARTS"


def work(listener: socket.socket) -> None:
    """Die by a kill, fail to start, end well: whatever comes next in the file."""
    with Path(os.environ[STARTS]).open("r+") as file:
        codes = file.read().split()
        file.seek(0)
        file.truncate()
        file.write(" ".join(codes[1:]))
    sys.exit(int(codes[0]))


@pytest.mark.parametrize(
    ("codes", "code", "left"),
    [([9, STARTUP_FAILURE, 0], 0, ""), ([STARTUP_FAILURE, 0], 1, "0")],
    ids=["a replacement", "one of the first"],
)
def test_only_one_of_the_first_workers_that_does_not_start_ends_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codes: list[int], code: int, left: str
) -> None:
    starts = tmp_path / "starts"
    starts.write_text(" ".join(map(str, codes)))
    monkeypatch.setenv(STARTS, str(starts))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert Supervisor(work, listener, 1, lambda: None).run() == code
    assert starts.read_text() == left
