"""The plugin `bedrock` keeps the contract: its provider, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "bedrock"


class TestProvider(ProviderConformance):
    plugin = "bedrock"
