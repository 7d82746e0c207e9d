"""The messages dialect."""

from gateway.wire.messages.client import MESSAGES_CLIENT
from gateway.wire.messages.dialect import MESSAGES, Messages
from gateway.wire.messages.errors import error_envelope, failure_type
from gateway.wire.messages.prompt import MESSAGES_PROMPTS
from gateway.wire.messages.request import request_fields, without_foreign_proofs

__all__ = (
    "MESSAGES",
    "MESSAGES_CLIENT",
    "MESSAGES_PROMPTS",
    "Messages",
    "error_envelope",
    "failure_type",
    "request_fields",
    "without_foreign_proofs",
)
