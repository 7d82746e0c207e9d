"""Which quirk would repair what an upstream refused: read off the words of the refusal."""

import re
from typing import Any, Final

import msgspec

from gateway.wire.said import error_in, found_by_validation

_REFUSALS: Final = (400, 422)
_REFUSED: Final = re.compile(
    r"(?i)unsupported|not (?:be )?support|unrecogni[sz]ed|unknown|not permitted|not allowed|unavailable|forbidden|extra"
)
_INSTEAD: Final = re.compile(r"[Uu]se '(\w+)' instead")
_FIELDS: Final = (
    *("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs"),
    *("top_logprobs", "seed", "user", "n", "stream_options", "parallel_tool_calls", "store", "metadata", "verbosity"),
    *(
        "service_tier",
        "reasoning_effort",
        "max_tokens",
        "max_completion_tokens",
        "prompt_cache_key",
        "safety_identifier",
    ),
)
_OF_MESSAGES: Final = ("name", "reasoning_content", "reasoning_details", "refusal", "annotations", "audio")
_OTHER_LIMIT: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_WORD: Final = re.compile(r"[A-Za-z_]+")


def repair_for(status: int, body: bytes) -> str | None:
    """The quirk, as `--quirk` takes it, such as `omit=temperature`; None where the words are of something else."""
    if status not in _REFUSALS:
        return None
    error = error_in(body)
    message = error.get("message")
    text = message if isinstance(message, str) else body.decode("utf-8", "replace")
    if not _REFUSED.search(text) and error.get("code") not in ("unsupported_parameter", "unsupported_value"):
        return None
    if "response_format" in text or "json_schema" in text:
        return "response_format=json"
    for role, known in (("developer", "system"), ("system", "user")):
        if "role" in text and re.search(rf"['\"`]{role}['\"`]", text.partition("expected")[0]):
            return f"roles={role}:{known}"
    if (field := _inside_messages(body, text)) is not None:
        return f"omit=messages.{field}"
    if (field := _named(error.get("param"), text)) is None:
        return None
    if (instead := _INSTEAD.search(text)) is not None:
        return f"rename={field}:{instead[1]}"
    return f"rename={field}:{_OTHER_LIMIT[field]}" if field in _OTHER_LIMIT else f"omit={field}"


def advice(status: int, body: bytes) -> str:
    """What the log says of a refusal; empty where no quirk is known to help."""
    quirk = repair_for(status, body)
    return f"the upstream refuses a field; a quirk of the model would repair it: --quirk {quirk}" if quirk else ""


def _inside_messages(body: bytes, text: str) -> str | None:
    """The field of messages that was refused, by its place or by Groq's words."""
    try:
        value: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    for holder in (value, *(value.get(n) for n in ("error", "message"))) if isinstance(value, dict) else ():
        said = holder.get("detail", holder.get("message")) if isinstance(holder, dict) else None
        for found in found_by_validation(said):
            place = [str(part) for part in found["loc"]] if isinstance(found["loc"], list) else []
            if "messages" in place and place[-1] in _OF_MESSAGES:
                return place[-1]
    match = re.search(r"messages\W.*property '(\w+)' is unsupported", text)
    return match[1] if match is not None else None


def _named(param: Any, text: str) -> str | None:
    """The field that is meant: by the error's own `param`, else the first one that the text names."""
    if isinstance(param, str) and param not in ("", "None"):
        field = param.split(".")[0]
        return field if field in _FIELDS else None
    said = (re.sub(r"(?<=[a-z])([A-Z])", lambda m: f"_{m[1].lower()}", word) for word in _WORD.findall(text))
    return next((word for word in said if word in _FIELDS and (word != "n" or "'n'" in text)), None)
