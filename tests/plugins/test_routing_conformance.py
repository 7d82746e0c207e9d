"""The plugin `routing` keeps the contract: each of its strategies, the plugin as a whole."""

from typing import Any

from gateway.testing.conformance import PluginConformance, StrategyConformance
from gateway.testing.standin import StandInGateway, StandInSnapshot

NO_DOOR: Any = None


class TestPlugin(PluginConformance):
    plugin = "routing"


class TestWeighted(StrategyConformance):
    plugin = "routing"


class TestLeastBusy(StrategyConformance):
    plugin = "routing"
    index = 1


class TestLatency(StrategyConformance):
    plugin = "routing"
    index = 2


class TestCost(StrategyConformance):
    plugin = "routing"
    index = 3


class TestSticky(StrategyConformance):
    plugin = "routing"
    index = 4


def test_each_of_them_is_tested() -> None:
    kinds: tuple[type[StrategyConformance], ...] = (TestWeighted, TestLeastBusy, TestLatency, TestCost, TestSticky)
    made = [kind().make(StandInGateway(None, NO_DOOR, StandInSnapshot())).name for kind in kinds]
    assert made == ["weighted", "least-busy", "latency", "cost", "sticky"]
