"""The plugin `chatbot_ui` keeps the contract."""

from gateway.testing.conformance import PluginConformance


class TestPlugin(PluginConformance):
    plugin = "chatbot_ui"
