"""What attempts consumed: the record of each, and its way to the usage sinks."""

from gateway.usage.dispatcher import UsageDispatcher
from gateway.usage.record import usage_record

__all__ = ("UsageDispatcher", "usage_record")
