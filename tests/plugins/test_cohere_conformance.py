"""The plugin `cohere` keeps the contract: its provider, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "cohere"


class TestProvider(ProviderConformance):
    plugin = "cohere"
