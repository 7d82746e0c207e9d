"""The responses dialect."""

from gateway.wire.responses.client import RESPONSES_CLIENT
from gateway.wire.responses.dialect import RESPONSES, Responses
from gateway.wire.responses.kept import KEPT, KeptClient
from gateway.wire.responses.prompt import RESPONSES_PROMPTS

__all__ = ("KEPT", "RESPONSES", "RESPONSES_CLIENT", "RESPONSES_PROMPTS", "KeptClient", "Responses")
