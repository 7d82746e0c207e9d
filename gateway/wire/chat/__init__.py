"""The chat completions dialect, upstream half."""

from gateway.wire.chat.dialect import CHAT, Chat

__all__ = ("CHAT", "Chat")
