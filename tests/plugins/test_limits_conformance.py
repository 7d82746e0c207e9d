"""The plugin `limits` keeps the contract, by itself and with limits to keep."""

from gateway.testing.conformance import LimiterConformance, PluginConformance


class TestPlugin(PluginConformance):
    plugin = "limits"


class TestWithoutLimits(LimiterConformance):
    plugin = "limits"


class TestConcurrent(LimiterConformance):
    plugin = "limits"
    settings = {"concurrent": 60}
    room = 60


class TestPerMinute(LimiterConformance):
    plugin = "limits"
    settings = {"rpm": 60, "owner": {"tpm": 100_000}, "models": {"m": {"tpm": 100_000}}}
    room = 60
