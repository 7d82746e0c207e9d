"""The numbers are shown as Prometheus and OpenMetrics read them, on a port that serves nothing else."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from msgspec import structs
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from gateway.protocols import Ailing, Cooling, Fault, Hedges, ModelHealth, Stats
from gateway.testing.client import RawClient
from gateway_metrics.catalog import METRICS, PLUGIN_SECONDS, REQUEST_SECONDS, REQUESTS
from gateway_metrics.exposition import render
from gateway_metrics.listening import listening
from gateway_metrics.sampling import sampled
from gateway_metrics.shared import Counted, Sample
from gateway_metrics.tally import Tally

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ODD = 'a "quoted" \\ name\nof two lines'


def sample(**more: object) -> Sample:
    faults = (Fault(plugin="acme", stage="usage_sinks", failures=12, quarantined=True),)
    cooling = (Cooling(model=ODD, provider="openai", seconds=2.5), Cooling(model="m", provider="openai", seconds=1.0))
    sick = ModelHealth(id="1", model="m", provider="openai", state="open", credential="refused", failures=3)
    unwell = (
        sick,
        structs.replace(sick, id="2"),
        ModelHealth(id="3", model="well again", provider="openai", failures=1),
    )
    hedges = Hedges(started=5, won=2, refused=1)
    given = {
        "generation": 7,
        "in_flight": 3,
        "in_flight_limit": 40,
        "snapshot_age": 0.25,
        "usage_waiting": 2,
        "usage_lag": 0.5,
        "faults": faults,
    }
    given["ailing"] = (Ailing(plugin="limits", reason="alone"),) if "generation" in more else ()
    return sampled(Stats(**{**given, "cooling": cooling, "unwell": unwell, "hedges": hedges, **more}))  # type: ignore[arg-type]


def counted() -> Counted:
    tally = Tally()
    tally.values[tally.series(REQUESTS, ("chat", "ok", "200"))] += 4
    tally.observe(tally.series(REQUEST_SECONDS, ("chat", "ok")), REQUEST_SECONDS, 0.03)
    tally.observe(tally.series(REQUEST_SECONDS, ("chat", "ok")), REQUEST_SECONDS, 100.0)
    tally.observe(tally.series(PLUGIN_SECONDS, ("keys", "authenticators")), PLUGIN_SECONDS, 0.5)
    first, second = sample(), sample(generation=6, snapshot_age=9.0, usage_lag=7.25, faults=(), draining=True)
    return Counted({**tally.totals(), **dict(first.counts)}, [first, second])


@pytest.fixture(params=["", OPENMETRICS], ids=["prometheus", "openmetrics"])
def samples(request: pytest.FixtureRequest) -> dict[tuple[str, ...], float]:
    content_type, text = render(counted(), request.param)
    assert content_type.startswith("application/openmetrics-text" if request.param else "text/plain; version=0.0.4")
    families = list((openmetrics if request.param else prometheus)(text.decode()))
    assert [family.name for family in families] == [metric.name.removesuffix("_total") for metric in METRICS]
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_counters_histograms_and_summaries_add_up(samples: dict[tuple[str, ...], float]) -> None:
    assert samples["gateway_requests_total", "ok", "200", "chat"] == 4
    buckets = [value for key, value in samples.items() if key[0] == "gateway_request_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[2], buckets[-2], buckets[-1]) == (0, 1, 1, 2)
    assert samples["gateway_request_seconds_sum", "ok", "chat"] == pytest.approx(100.03)
    assert samples["gateway_plugin_seconds_sum", "keys", "authenticators"] == 0.5
    assert samples["gateway_plugin_errors_total", "acme", "usage_sinks"] == 12


def test_gauges_of_several_workers_become_one(samples: dict[tuple[str, ...], float]) -> None:
    assert samples[("gateway_in_flight",)] == 6
    assert samples[("gateway_in_flight_limit",)] == 80
    assert samples[("gateway_usage_waiting",)] == 4
    assert samples[("gateway_usage_lag_seconds",)] == 7.25
    assert samples[("gateway_workers",)] == 2
    assert samples[("gateway_draining",)] == 1
    assert samples[("gateway_generation",)] == 6
    assert samples[("gateway_snapshot_age_seconds",)] == 9
    assert samples["gateway_plugin_quarantined", "acme", "usage_sinks"] == 1
    assert samples["gateway_plugin_ailing", "limits"] == 1
    assert samples["gateway_model_cooling_seconds", ODD, "openai"] == 2.5


def test_circuits_and_credentials_count_the_workers_that_find_them_unwell(
    samples: dict[tuple[str, ...], float],
) -> None:
    told = {
        key[1:]: value for key, value in samples.items() if key[0].startswith(("gateway_model_c", "gateway_hedges"))
    }
    assert told[("m", "openai", "open")] == told[("m", "openai", "refused")] == 2
    assert not any("well again" in key for key in told)
    assert (told[("started",)], told[("won",)], told[("refused",)]) == (5, 2, 1)


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else can take: bound and shared, but not listened to."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def text(accept: str) -> tuple[str, bytes]:
    return "text/plain", f"asked for {accept}".encode()


async def test_the_port_serves_metrics_and_nothing_else(port: int) -> None:
    client = RawClient("127.0.0.1", port)
    async with listening("127.0.0.1", port, text), listening("127.0.0.1", port, text):  # two workers
        answer = await client.request("GET", "/metrics?x=1", headers=[("Accept", "all of it")])
        assert (answer.status, answer.header("content-type"), answer.body) == (
            200,
            "text/plain",
            b"asked for all of it",
        )
        for method, path in (("GET", "/"), ("POST", "/metrics"), ("GET", "/admin/plugins")):
            assert (await client.request(method, path)).status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)  # no end of its head
        writer.write_eof()
        async with asyncio.timeout(30):
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                pass
        writer.close()
        assert (await client.request("GET", "/metrics")).status == 200
    with pytest.raises(ConnectionRefusedError):
        await client.request("GET", "/metrics")


async def test_a_port_that_somebody_else_has_is_told(port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            async with listening("127.0.0.1", other.getsockname()[1], text):
                pass
