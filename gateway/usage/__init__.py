"""What attempts consumed: the record of each, the journal that keeps it, and its way to the usage sinks."""

from gateway.usage.journal import Journal, UsageJournal
from gateway.usage.record import usage_record

__all__ = ("Journal", "UsageJournal", "usage_record")
