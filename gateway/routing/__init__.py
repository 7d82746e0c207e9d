"""Which model to try, how often and when: health, retry budget, delays."""

from gateway.routing.backoff import delay_before
from gateway.routing.budget import RetryBudgets
from gateway.routing.health import Health
from gateway.routing.selection import Selection, select
from gateway.routing.size import Size

__all__ = ("Health", "RetryBudgets", "Selection", "Size", "delay_before", "select")
