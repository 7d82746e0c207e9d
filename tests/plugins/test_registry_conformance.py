"""The plugin `registry` keeps the contract."""

from gateway.testing.conformance import ModelLookupConformance, PluginConformance


class TestPlugin(PluginConformance):
    plugin = "registry"


class TestLookup(ModelLookupConformance):
    plugin = "registry"
