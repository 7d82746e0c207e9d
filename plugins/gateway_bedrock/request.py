"""Writes the body of Converse and ConverseStream from a prompt."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway import ChatRequest, Model, Prompt, TextPart
from gateway.wire.fields import asked_model, told
from gateway.wire.json import encode_value
from gateway.wire.meaning import lost_words, refuse_other_meaning
from gateway.wire.messages.generations import SAMPLING_UNTIL, generation
from gateway_bedrock.messages import MessageWriter
from gateway_bedrock.thinking import limit, said_thinking, thinks
from gateway_bedrock.tools import tool_config

_Json = dict[str, Any]
_OWN: Final = frozenset(
    (
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "outputConfig",
        "performanceConfig",
        "projectIdentifier",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
    )
)
"""Converse's own words, taken from the requests of any client."""
_KNOWN: Final = _OWN | {"is_error", "service_tier", "thinking", "top_k"}
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"default": "default", "flex": "flex", "priority": "priority"})
_HOTTEST: Final = 1.0


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The body to send: what the prompt says, the model's parameters behind it, less what its quirks leave out.

    Raises `InvalidRequest` for what cannot be said without another meaning.
    """
    model_id = asked_model(request, model)
    said = _said(request.prompt, model_id)
    request.lose(_lost(request.prompt, model_id))
    return told(said, model.parameters, model.quirks, inner="inferenceConfig", request=request)


def _said(prompt: Prompt, model_id: str) -> _Json:
    refuse_other_meaning(prompt)
    writer = MessageWriter()
    moved = [part for m in prompt.messages if m.role == "system" for part in m.parts if isinstance(part, TextPart)]
    turns = [message for message in prompt.messages if message.role != "system"]
    additional, output = said_thinking(prompt, model_id)
    inference = _inference(prompt, model_id, limit(prompt, additional))
    if prompt.response_format is not None and prompt.response_format.kind == "schema":
        output = {**output, "textFormat": _format(prompt)}
    additional = {**_top_k(prompt, model_id), **additional}
    said: _Json = {
        "system": writer.system((*prompt.system, *moved)),
        "messages": writer.messages(turns),
        "inferenceConfig": inference,
        "toolConfig": tool_config(prompt),
        "outputConfig": output,
        "additionalModelRequestFields": additional,
    }
    if prompt.stop and generation(model_id) is not None:
        said["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    if (tier := _TIERS.get(str(prompt.extra.get("service_tier")))) is not None:
        said["serviceTier"] = {"type": tier}
    for name in sorted(_OWN & prompt.extra.keys()):
        given, before = prompt.extra[name], said.get(name)
        said[name] = {**before, **given} if isinstance(before, dict) and isinstance(given, dict) else given
    return {name: value for name, value in said.items() if value or name == "messages"}


def _lost(prompt: Prompt, model_id: str) -> list[str]:
    """The names of what has no place."""
    choice, form = prompt.tool_choice, prompt.response_format
    unsaid = {
        "seed": prompt.seed is not None,
        "temperature": _inference(prompt, model_id, None).get("temperature") != prompt.temperature,
        "stop": any(not stop.strip() for stop in prompt.stop),
        "response_format": form is not None and form.kind == "json",
        "reasoning": thinks(prompt.reasoning) and said_thinking(prompt, model_id) == ({}, {}),
        "parallel_tools": prompt.parallel_tools is False,
        "tool_choice": choice is not None and choice.mode == "none" and tool_config(prompt) is not None,
    }
    return [*lost_words(prompt, _KNOWN), *(name for name, lost in unsaid.items() if lost)]


def _inference(prompt: Prompt, model_id: str, most: int | None) -> _Json:
    said: _Json = {
        "maxTokens": most,
        "temperature": None if prompt.temperature is None else min(prompt.temperature, _HOTTEST),
        "topP": prompt.top_p,
        "stopSequences": [stop for stop in prompt.stop if stop.strip()] or None,
    }
    version = generation(model_id)
    if version is not None and version >= SAMPLING_UNTIL:
        said |= {"temperature": None, "topP": None}
    return {name: value for name, value in said.items() if value is not None}


def _top_k(prompt: Prompt, model_id: str) -> _Json:
    given = prompt.extra.get("top_k")
    version = generation(model_id)
    if given is None or (version is not None and version >= SAMPLING_UNTIL):
        return {}
    return {"inferenceConfig": {"topK": given}} if "nova" in model_id else {"top_k": given}


def _format(prompt: Prompt) -> _Json:
    form = prompt.response_format
    assert form is not None
    schema = {"schema": bytes(encode_value(form.schema)).decode(), "name": form.name}
    said = {name: value for name, value in schema.items() if value is not None}
    return {"type": "json_schema", "structure": {"jsonSchema": said}}
