"""The provider `openai` keeps the contract in both lanes."""

from gateway.testing.conformance import ProviderConformance


class TestDirectLane(ProviderConformance):
    plugin = "openai"


class TestSdkLane(ProviderConformance):
    plugin = "openai"
    settings = {"lane": "sdk"}
