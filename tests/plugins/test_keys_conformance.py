"""The plugin `keys` keeps the contract."""

from gateway.testing.conformance import AuthenticatorConformance, PluginConformance


class TestPlugin(PluginConformance):
    plugin = "keys"


class TestAuthenticator(AuthenticatorConformance):
    plugin = "keys"
