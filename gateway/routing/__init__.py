"""Which model to try, how often and when: health, retry budget, delays."""

from gateway.routing.backoff import delay_before
from gateway.routing.budget import RetryBudgets
from gateway.routing.health import Health
from gateway.routing.selection import Selection, select

__all__ = ("Health", "RetryBudgets", "Selection", "delay_before", "select")
