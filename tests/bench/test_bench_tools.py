"""What measures is measured first: counts are exact, and an answer that is not what was sent is seen."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.certificate import write_certificate
from bench.contestants import direct
from bench.gateways import World
from bench.machine import pinned
from bench.scenarios import SCENARIOS, Pace
from bench.target import Ask
from bench.tools import Sample, ToolMissing, Upstream, load, pauses

CORES = frozenset(os.sched_getaffinity(0))
Loaded = Callable[..., Sample]


@pytest.fixture
def upstream(bench_tools: None) -> Iterator[Upstream]:
    with Upstream(CORES) as running:
        yield running


@pytest.fixture
def loaded(upstream: Upstream, tmp_path: Path) -> Loaded:
    """Load the upstream itself with requests for a model."""
    target = direct(World(tmp_path, CORES, upstream.base_url), upstream.pid)

    def run(model: str, *options: str, kind: str = "sse", chunks: int = 10, connections: int = 3) -> Sample:
        file = tmp_path / "request"
        file.write_bytes(target.request(Ask(model, stream=kind == "sse")))
        words = {"port": target.port, "request": file, "kind": kind, "chunks": chunks, "connections": connections}
        given = [word for name, value in words.items() for word in (f"--{name}", str(value))]
        return load([*given, "--watch", f"server={upstream.pid}", *options], CORES, limit=60)

    return run


def ask_once(port: int, body: bytes) -> bytes:
    head = f"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connected:
        connected.sendall(head.encode() + body)
        answer = b""
        while b"[DONE]" not in answer and (data := connected.recv(65536)):
            answer += data
    return answer


def test_every_answer_of_a_closed_loop_is_counted_once(loaded: Loaded) -> None:
    sample = loaded("bench-1-0", "--requests", "40", kind="json", chunks=1)
    assert (sample.ok, sample.wrong, sample.events) == (40, 0, 40)
    assert sample.latency.count == sample.window.answers == 40
    assert sample.watched["server"].cpu_ns > 0
    assert sample.watched["server"].rss_kb > 0


def test_every_chunk_of_every_stream_is_counted_with_its_transit(loaded: Loaded) -> None:
    sample = loaded("bench-500-0", "--requests", "12", chunks=500)
    assert (sample.ok, sample.wrong, sample.events) == (12, 0, 6000)
    assert sample.transit.count == 6000
    assert sample.first.count == 12
    assert 0 < sample.transit.p50 <= sample.transit.p99 <= sample.transit.max


def test_paced_streams_end_after_the_window_and_are_still_checked(loaded: Loaded) -> None:
    sample = loaded("bench-30-100", "--seconds", "0.1", "--warmup", "0.05", chunks=30, connections=5)
    assert (sample.ok, sample.wrong, sample.events) == (5, 0, 150)
    assert sample.transit.count == sample.window.events <= 150


def test_an_open_loop_asks_as_often_as_it_was_told(loaded: Loaded) -> None:
    sample = loaded("bench-1-0", "--requests", "50", "--rate", "200", kind="json", chunks=1, connections=50)
    assert (sample.ok, sample.wrong) == (50, 0)
    assert sample.seconds >= 49 / 200


def test_a_cut_stream_is_a_cut_stream(loaded: Loaded) -> None:
    sample = loaded("bench-10-0-cut5", "--requests", "6")
    assert (sample.ok, sample.cut, sample.events) == (0, 6, 30)


@pytest.mark.parametrize("options", [(), ("--loose",)])
def test_a_single_wrong_byte_is_seen(loaded: Loaded, options: tuple[str, ...]) -> None:
    sample = loaded("bench-10-0-flip5", "--requests", "6", *options)
    assert (sample.ok, sample.corrupt, sample.events) == (0, 6, 30)


def test_a_stream_that_ends_early_but_properly_is_incomplete(loaded: Loaded) -> None:
    sample = loaded("bench-10-0", "--requests", "6", "--loose", chunks=11)
    assert (sample.ok, sample.incomplete) == (0, 6)


def test_a_refusal_is_no_answer(loaded: Loaded) -> None:
    sample = loaded("another-model", "--requests", "4")
    assert (sample.ok, sample.status) == (0, 4)


def test_clients_that_stop_reading_get_everything_later(loaded: Loaded) -> None:
    sample = loaded("bench-9000-0", "--seconds", "0.2", "--stall", chunks=9000, connections=2)
    assert (sample.ok, sample.wrong, sample.events) == (2, 0, 18000)
    assert sample.window.events < 18000


def test_clients_that_leave_are_not_counted_as_wrong(loaded: Loaded) -> None:
    sample = loaded("bench-90000-0", "--seconds", "0.2", "--stall", "--leave", chunks=90000, connections=2)
    assert (sample.ok, sample.wrong, sample.left) == (0, 0, 2)


def test_the_upstream_speaks_as_openai_does(upstream: Upstream) -> None:
    body = json.dumps({"model": "bench-2-0", "stream": True, "stream_options": {"include_usage": True}}).encode()
    head, _, rest = ask_once(upstream.port, body).partition(b"\r\n\r\n")
    assert b"text/event-stream" in head
    events = [json.loads(line[6:]) for line in rest.split(b"\r\n") if line.startswith(b"data: {")]
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None, None, None, "stop"]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events[-1]["usage"]["total_tokens"] == 109
    assert 330 <= len(rest.split(b"\r\n")[3]) <= 370


def test_the_upstream_behind_tls_says_the_same(bench_tools: None, tmp_path: Path) -> None:
    import ssl

    authority, signed = write_certificate(tmp_path)
    try:
        running = Upstream(CORES, cert=signed, key=signed).__enter__()
    except ToolMissing:
        install = "needs OpenSSL's headers: apt-get install libssl-dev, remove build/bench, then make bench-tools"
        if os.environ.get("TEST_REQUIRE") == "all":
            pytest.fail(install)
        pytest.skip(install)
    try:
        context = ssl.create_default_context(cafile=str(authority))
        body = b'{"model":"bench-300-0","stream":true}'
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            answer = b""
            while not answer.endswith(b"0\r\n\r\n") and (data := secured.recv(65536)):
                answer += data
        assert answer.count(b'"content":"#') == 300
        assert b"data: [DONE]" in answer
    finally:
        running.__exit__(None, None, None)


def test_a_pause_is_seen_when_another_takes_the_core(bench_tools: None) -> None:
    core = frozenset([min(CORES)])
    with pinned(core):
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        [beside] = pauses(0.5, [core])
    finally:
        other.kill()
        other.wait()
    assert beside.over_1_ms > 0
    assert beside.longest_ms > 1
    assert beside.taken_ms > 50, "both want the whole core, so each gets about a half"


def test_requests_come_no_faster_than_they_are_asked_for(upstream: Upstream, tmp_path: Path) -> None:
    [rested] = [scenario for scenario in SCENARIOS if scenario.name == "rests-50"]
    target = direct(World(tmp_path, CORES, upstream.base_url), upstream.pid)
    sample = rested.run(target, Pace(1.0, 0.1, 1), CORES, upstream.pid, tmp_path)
    assert sample.wrong == 0
    assert 0 < sample.latency.count <= 100, "fifty are due; who asks again at once has thousands"
