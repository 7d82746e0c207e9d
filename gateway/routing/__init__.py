"""Which model to try, how often and when: health, retry budget, delays, hedges."""

from gateway.routing.backoff import delay_before
from gateway.routing.budget import RetryBudgets
from gateway.routing.health import Health
from gateway.routing.itinerary import TRIES, Itinerary
from gateway.routing.pace import Paces
from gateway.routing.selection import Selection, select

__all__ = ("TRIES", "Health", "Itinerary", "Paces", "RetryBudgets", "Selection", "delay_before", "select")
