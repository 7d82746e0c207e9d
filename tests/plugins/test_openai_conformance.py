"""The plugin `openai` keeps the contract: its provider in both lanes, its mapper, the plugin as a whole."""

from gateway.testing.conformance import ErrorMapperConformance, PluginConformance, ProviderConformance


class TestPlugin(PluginConformance):
    plugin = "openai"


class TestDirectLane(ProviderConformance):
    plugin = "openai"


class TestSdkLane(ProviderConformance):
    plugin = "openai"
    settings = {"lane": "sdk"}


class TestMapper(ErrorMapperConformance):
    plugin = "openai"
