"""Log probabilities of tokens, in the form of OpenAI's, which is the only one that clients read."""

from typing import Any

from gateway.wire.unicode import well_formed


def logprobs_of(result: Any) -> dict[str, Any] | None:
    """What a chunk's tokens were, and what they might have been."""
    if not isinstance(result, dict):
        return None
    chosen = [one for one in _objects(result.get("chosenCandidates")) if "token" in one]
    others = [_objects(one.get("candidates")) for one in _objects(result.get("topCandidates"))]
    content = [
        {**_token(one), "top_logprobs": [_token(other) for other in (others[at] if at < len(others) else ())]}
        for at, one in enumerate(chosen)
    ]
    return {"content": content, "refusal": None} if content else None


def _token(said: dict[str, Any]) -> dict[str, Any]:
    token, value = said.get("token"), said.get("logProbability")
    text = well_formed(token) if isinstance(token, str) else ""
    return {
        "token": text,
        "logprob": value if isinstance(value, int | float) else -9999.0,
        "bytes": list(text.encode()),
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
