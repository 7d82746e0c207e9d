"""The plugin `gemini` keeps the contract: its providers, the plugin as a whole."""

from gateway.testing.conformance import PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "gemini"


class TestGemini(ProviderConformance):
    plugin = "gemini"


class TestVertex(ProviderConformance):
    plugin = "gemini"
    index = 1
