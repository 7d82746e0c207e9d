"""The plugin `anthropic` keeps the contract: its provider, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "anthropic"


class TestProvider(ProviderConformance):
    plugin = "anthropic"
