"""One generation's metrics begin where the last one's ended, and do without files where there are none."""

from pathlib import Path

from gateway.egress import EgressClient, EgressPolicy
from gateway.protocols import Stats
from gateway.testing.standin import Loopback, StandInGateway, furnished
from gateway_metrics.catalog import REQUESTS
from gateway_metrics.metrics import Metrics
from gateway_metrics.settings import Settings

LINE = 'gateway_requests_total{outcome="ok",status="200",surface="chat"}'


def generation(data_dir: Path, **stats: int) -> tuple[Metrics, StandInGateway]:
    """The metrics of one more generation in this process."""
    gateway = StandInGateway(Settings(), EgressClient(EgressPolicy()), furnished())
    gateway.serving = Loopback(data_dir=data_dir)
    gateway.stats = Stats(**stats)
    return Metrics.of(gateway), gateway


def count(metrics: Metrics) -> None:
    tally = metrics.recorder.tally
    tally.values[tally.series(REQUESTS, ("chat", "ok", "200"))] += 1


async def shown(metrics: Metrics) -> list[str]:
    _, text = await metrics.text("")
    return text.decode().splitlines()


async def test_the_next_generation_counts_on_while_the_old_one_ends(tmp_path: Path) -> None:
    old, _ = generation(tmp_path, generation=1, usage_dropped=5)
    new, _ = generation(tmp_path, generation=2, usage_dropped=5)
    old_running = old.running()
    await old_running.__aenter__()
    count(old)
    async with new.running():
        count(new)
        assert f"{LINE} 2.0" in await shown(new)
        await old_running.__aexit__(None, None, None)
        count(new)
        lines = await shown(new)
    assert f"{LINE} 3.0" in lines
    assert "gateway_usage_dropped_total 5.0" in lines
    assert "gateway_workers 1.0" in lines
    assert "gateway_generation 2.0" in lines
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["lock"]


async def test_without_files_a_worker_shows_its_own_numbers_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("in the way")
    metrics, gateway = generation(tmp_path, generation=1, in_flight=2)
    async with metrics.running():
        count(metrics)
        lines = await shown(metrics)
    assert f"{LINE} 1.0" in lines
    assert "gateway_in_flight 2.0" in lines
    assert "metrics_not_shared" in gateway.log.text()


def test_the_hooks_of_one_generation_share_one_object(tmp_path: Path) -> None:
    metrics, gateway = generation(tmp_path)
    assert Metrics.of(gateway) is metrics
    assert generation(tmp_path)[0] is not metrics
