"""`gateway models test`: one short call, on the way every call takes, and what can be said after it."""

from gateway.cli.model_test.asking import ask
from gateway.cli.model_test.findings import Check, Report, report

__all__ = ("Check", "Report", "ask", "report")
