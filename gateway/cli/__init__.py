"""The command line: `gateway`."""

from gateway.cli.context import Context
from gateway.cli.root import main

__all__ = ("Context", "main")
