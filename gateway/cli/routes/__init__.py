"""`gateway routes`: names that stand for several models."""

from gateway.cli.routes.commands import group

__all__ = ("group",)
