"""The plugin `azure` keeps the contract: its provider, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "azure"


class TestProvider(ProviderConformance):
    plugin = "azure"
