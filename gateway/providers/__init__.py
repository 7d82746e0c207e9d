"""What authors of providers build on: three levels, from data alone to events of one's own; and what they share."""

from gateway.providers.chat import ChatProvider
from gateway.providers.dialect import DialectProvider
from gateway.providers.events import EventProvider, EventResponse, UpstreamCall
from gateway.providers.tokens import AccessTokens

__all__ = ("AccessTokens", "ChatProvider", "DialectProvider", "EventProvider", "EventResponse", "UpstreamCall")
