"""Usage kept in the gateway's own database: one row for each attempt."""

from gateway import Gateway, UsageSink, hookimpl
from gateway_ledger.ledger import Ledger


@hookimpl
def register_usage_sinks(gateway: Gateway) -> list[UsageSink]:
    return [Ledger(gateway)]
