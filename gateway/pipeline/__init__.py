"""One exchange's way through the house."""

from gateway.pipeline.addresses import Addresses
from gateway.pipeline.admission import Admission, Limits
from gateway.pipeline.explanation import Explanation, Question
from gateway.pipeline.service import Pipeline
from gateway.pipeline.strangers import Strangers

__all__ = ("Addresses", "Admission", "Explanation", "Limits", "Pipeline", "Question", "Strangers")
