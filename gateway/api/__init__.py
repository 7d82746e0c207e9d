"""What the gateway answers over HTTP beside the surfaces that plugins bring.

Health, the control plane, and everything nobody serves.
"""

from gateway.api.admin import AdminGuard, Condition, Control, Draining, WorkerStatus, admin_guard, admin_router
from gateway.api.health import health_handlers
from gateway.api.models_health import models_health_handler
from gateway.api.refusal import BEGAN, Refusal, refusal
from gateway.api.unmatched import answer_unexpected, exception_handlers
from gateway.api.v1 import chat_handlers, kept_handlers, model_handlers, plain_handlers

__all__ = (
    "BEGAN",
    "AdminGuard",
    "Condition",
    "Control",
    "Draining",
    "Refusal",
    "WorkerStatus",
    "admin_guard",
    "admin_router",
    "answer_unexpected",
    "chat_handlers",
    "exception_handlers",
    "health_handlers",
    "kept_handlers",
    "model_handlers",
    "models_health_handler",
    "plain_handlers",
    "refusal",
)
