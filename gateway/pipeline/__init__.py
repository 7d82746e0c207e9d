"""One exchange's way through the house."""

from gateway.pipeline.service import Pipeline

__all__ = ("Pipeline",)
