"""What the gateway answers over HTTP beside the surfaces that plugins bring: health, and everything nobody serves."""

from gateway.api.health import health_handlers
from gateway.api.refusal import Refusal, refusal
from gateway.api.unmatched import exception_handlers

__all__ = ("Refusal", "exception_handlers", "health_handlers", "refusal")
