"""What authors of providers build on: three levels, from data alone to events of one's own."""

from gateway.providers.chat import ChatProvider
from gateway.providers.dialect import DialectProvider
from gateway.providers.events import EventProvider, EventResponse, UpstreamCall

__all__ = ("ChatProvider", "DialectProvider", "EventProvider", "EventResponse", "UpstreamCall")
