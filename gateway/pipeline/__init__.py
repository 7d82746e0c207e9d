"""One exchange's way through the house."""

from gateway.pipeline.admission import Admission, Limits
from gateway.pipeline.explanation import Explanation, Question
from gateway.pipeline.service import Pipeline

__all__ = ("Admission", "Explanation", "Limits", "Pipeline", "Question")
