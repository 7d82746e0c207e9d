"""One exchange's way through the house."""

from gateway.pipeline.explanation import Explanation, Question
from gateway.pipeline.service import Pipeline

__all__ = ("Explanation", "Pipeline", "Question")
