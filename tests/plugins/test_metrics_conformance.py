"""The plugin `metrics` keeps the contract."""

from gateway.testing.conformance import ObserverConformance, PluginConformance


class TestPlugin(PluginConformance):
    plugin = "metrics"


class TestObserver(ObserverConformance):
    plugin = "metrics"
