"""OpenAI's surface: `/v1/*`, thin over the one pipeline."""

from gateway.api.v1.chat import chat_handlers
from gateway.api.v1.kept import kept_handlers
from gateway.api.v1.models import model_handlers
from gateway.api.v1.plain import plain_handlers

__all__ = ("chat_handlers", "kept_handlers", "model_handlers", "plain_handlers")
