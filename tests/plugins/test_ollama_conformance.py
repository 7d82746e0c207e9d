"""The plugin `ollama` keeps the contract: its provider, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "ollama"


class TestProvider(ProviderConformance):
    plugin = "ollama"
