"""Metrics for Prometheus: what every exchange and attempt came to, and how the gateway is."""

from typing import Any

from gateway import Gateway, StreamObserver, hookimpl
from gateway.protocols import Lifespan
from gateway_metrics.metrics import Metrics
from gateway_metrics.route import metrics_route
from gateway_metrics.settings import Settings as Settings


@hookimpl
def register_stream_observers(gateway: Gateway) -> list[StreamObserver]:
    return [Metrics.of(gateway).recorder]


@hookimpl
def lifespan(gateway: Gateway) -> Lifespan:
    return Metrics.of(gateway).running()


@hookimpl
def on_app_init(app_config: Any, gateway: Gateway) -> None:
    app_config.route_handlers.append(metrics_route(Metrics.of(gateway)))
