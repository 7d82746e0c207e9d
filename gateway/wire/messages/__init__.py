"""The messages dialect."""

from gateway.wire.messages.client import MESSAGES_CLIENT
from gateway.wire.messages.dialect import MESSAGES, Messages
from gateway.wire.messages.prompt import MESSAGES_PROMPTS

__all__ = ("MESSAGES", "MESSAGES_CLIENT", "MESSAGES_PROMPTS", "Messages")
