"""What a foreign upstream cannot be asked without another thing being meant: refused, never left out."""

from gateway.errors import InvalidRequest
from gateway.prompt import Prompt


def refuse_other_meaning(prompt: Prompt) -> None:
    """Raises `InvalidRequest` for several answers, sound as an answer, and memory of earlier answers."""
    if prompt.n not in (None, 1):
        raise InvalidRequest("The model of this request gives one answer: 'n' must be 1.", param="n")
    if "audio" in (prompt.extra.get("modalities") or ()):
        raise InvalidRequest("The model of this request does not answer with sound.", param="modalities")
    if prompt.extra.get("previous_response_id") is not None:
        raise InvalidRequest("The model of this request remembers no answers.", param="previous_response_id")
