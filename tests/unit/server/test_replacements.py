"""A worker that replaces another and does not start costs nobody else: it is started again."""

import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ending_worker import STARTS, work

from gateway.server import STARTUP_FAILURE, Supervisor


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A supervisor keeps the signals of its process to the end of that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("codes", "code", "left", "pauses"),
    [([9, STARTUP_FAILURE, 0], 0, "", [1, 2]), ([STARTUP_FAILURE, 0], 1, "0", [])],
    ids=["a replacement", "one of the first"],
)
def test_only_one_of_the_first_workers_that_does_not_start_ends_the_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    codes: list[int],
    code: int,
    left: str,
    pauses: list[int],
) -> None:
    starts = tmp_path / "starts"
    starts.write_text(" ".join(map(str, codes)))
    monkeypatch.setenv(STARTS, str(starts))
    with caplog.at_level(logging.ERROR, "gateway.server"), socket.create_server(("127.0.0.1", 0)) as listener:
        assert Supervisor(work, listener, 1, lambda: None).run() == code
    assert starts.read_text() == left
    assert [record.fields["seconds"] for record in caplog.records] == pauses  # type: ignore[attr-defined]
