"""The chat completions dialect."""

from gateway.wire.chat.client import CHAT_CLIENT
from gateway.wire.chat.dialect import CHAT, Chat
from gateway.wire.chat.legacy import LEGACY, LEGACY_CLIENT
from gateway.wire.chat.prompt import CHAT_PROMPTS
from gateway.wire.chat.repair import advice, repair_for

__all__ = ("CHAT", "CHAT_CLIENT", "CHAT_PROMPTS", "LEGACY", "LEGACY_CLIENT", "Chat", "advice", "repair_for")
