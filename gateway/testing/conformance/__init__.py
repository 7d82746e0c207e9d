"""The conformance kit: classes to inherit, one for each kind of plugin; each plugin's test is a few lines.

from gateway.testing.conformance import ProviderConformance

class TestAcme(ProviderConformance):
    plugin = "acme"
"""

from gateway.testing.conformance.authenticator import AuthenticatorConformance
from gateway.testing.conformance.declared import Declaration
from gateway.testing.conformance.error_mapper import ErrorMapperConformance
from gateway.testing.conformance.limiter import LimiterConformance
from gateway.testing.conformance.lookup import ModelLookupConformance
from gateway.testing.conformance.observer import ObserverConformance
from gateway.testing.conformance.plugin import PluginConformance
from gateway.testing.conformance.provider import ProviderConformance
from gateway.testing.conformance.strategy import StrategyConformance
from gateway.testing.conformance.stream_transform import StreamTransformConformance
from gateway.testing.conformance.transform import RequestTransformConformance
from gateway.testing.conformance.usage_sink import UsageSinkConformance

__all__ = (
    "AuthenticatorConformance",
    "Declaration",
    "ErrorMapperConformance",
    "LimiterConformance",
    "ModelLookupConformance",
    "ObserverConformance",
    "PluginConformance",
    "ProviderConformance",
    "RequestTransformConformance",
    "StrategyConformance",
    "StreamTransformConformance",
    "UsageSinkConformance",
)
