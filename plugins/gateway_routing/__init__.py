"""Routing strategies: weighted, least-busy, latency, cost and sticky."""

from gateway import RoutingStrategy, hookimpl
from gateway_routing.cost import Cost
from gateway_routing.latency import Latency
from gateway_routing.least_busy import LeastBusy
from gateway_routing.sticky import Sticky
from gateway_routing.weighted import Weighted


@hookimpl
def register_strategies() -> list[RoutingStrategy]:
    return [Weighted(), LeastBusy(), Latency(), Cost(), Sticky()]
