"""`POST /v1/chat/completions` as the terminal speaks it."""

from collections.abc import Sequence
from typing import Any

import msgspec

PATH = "/v1/chat/completions"
MODELS = "/v1/models"


class Turn(msgspec.Struct, frozen=True):
    """What one side said."""

    role: str
    content: str


class Delta(msgspec.Struct, frozen=True):
    """What a chunk adds."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """One answer's share of a chunk; only one is asked for."""

    delta: Delta | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """What it took, as far as the upstream told."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One event of the stream."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Any = None
    """Set on the event that tells of a stream which broke."""

    @property
    def text(self) -> str:
        """What there is to read in it; a refusal is an answer too."""
        deltas = [choice.delta for choice in self.choices if choice.delta is not None]
        return "".join((delta.content or "") + (delta.refusal or "") for delta in deltas)

    @property
    def finish(self) -> str | None:
        """Why the answer is over, when it is."""
        return next((choice.finish_reason for choice in self.choices if choice.finish_reason), None)


def question(model: str, turns: Sequence[Turn]) -> bytes:
    """The body of a request for a streamed answer with its token counts."""
    options = {"include_usage": True}
    return msgspec.json.encode({"model": model, "messages": turns, "stream": True, "stream_options": options})


def message_of(document: Any) -> str | None:
    """The words of a refusal or of a stream's failure."""
    error = document.get("error", document) if isinstance(document, dict) else document
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else None


def names(document: Any) -> list[str]:
    """The models of a listing."""
    try:
        return [model["id"] for model in document["data"]]
    except (KeyError, TypeError):
        return []
