"""What is measured inside a gateway's process: what is fed, what is timed, and that it is the gateway."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.gateways import Variant, World
from bench.inside.feed import Feed
from bench.inside.turns import turns
from bench.inside.windows import WINDOWS, fetched, reads
from bench.rounds import Progress
from bench.tools import Upstream
from gateway.errors import GatewayError

_CORES = frozenset(os.sched_getaffinity(0))
_HEAD, _END = b'data: {"role":"assistant"}\n\n', b"data: {}\n\ndata: [DONE]\n\n"


def _piece(number: int) -> bytes:
    return b'data: {"content":"#%d"}\n\n' % number


class _Sink:
    def __init__(self) -> None:
        self.moved: list[bytes] = []
        self.ended: list[GatewayError | None] = []

    def move(self, data: bytes) -> None:
        self.moved.append(data)

    def end(self, error: GatewayError | None) -> None:
        self.ended.append(error)


@pytest.mark.parametrize(
    ("together", "expected"),
    [
        (0, [_HEAD + _piece(0), _END]),
        (1, [_HEAD + _piece(0), *(_piece(number) for number in range(1, 5)), _END]),
        (2, [_HEAD + _piece(0), _piece(1) + _piece(2), _piece(3) + _piece(4), _END]),
        (3, [_HEAD + _piece(0), _piece(1) + _piece(2) + _piece(3), _piece(4), _END]),
    ],
)
def test_a_read_brings_as_many_pieces_as_it_should(together: int, expected: Sequence[bytes]) -> None:
    stream = b"".join([_HEAD, *map(_piece, range(5)), _END])
    made = reads(stream, together)
    assert made == expected


def test_everything_is_fed_in_order_and_only_the_middle_is_timed() -> None:
    sink, untimed = _Sink(), _Sink()
    feed = Feed([b"first", *[b"middle"] * 10_000, b"last"])
    feed.start(sink)
    assert sink.moved == [b"first", *[b"middle"] * 10_000, b"last"]
    assert sink.ended == [None]
    assert feed.nanoseconds > 0
    alone = Feed([b"whole"])
    alone.start(untimed)
    assert untimed.moved == [b"whole"]
    assert alone.nanoseconds < feed.nanoseconds


def test_a_gateway_measures_what_it_was_fed_by_the_upstream(bench_tools: None, tmp_path: Path) -> None:
    with Upstream(_CORES) as upstream:
        assert fetched(upstream.base_url, "bench-7-0", stream=True).count(b"#") == 7
        world = World(tmp_path, _CORES, upstream.base_url)
        variants = [Variant("observed", "delta_observers", 2)]
        (table,) = turns("Observed", world, variants, ["chat"], 1, Progress(1.0), rounds=1)
    assert table.columns == ["", *(window.title for window in WINDOWS)]
    ((name, *costs),) = table.rows
    assert name == "observed"
    assert all(float(cost.split()[0].replace(",", "")) > 0 for cost in costs)
