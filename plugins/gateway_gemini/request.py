"""Writes a request for `generateContent` from a prompt."""

from collections.abc import Mapping
from typing import Any, Final

from gateway import ChatRequest, InvalidRequest, Model
from gateway.prompt import Message, OpaquePart, Prompt, ResponseFormat, TextPart
from gateway.wire.fields import asked_model, told
from gateway.wire.meaning import lost_words
from gateway_gemini.generations import Generation, generation, thinking_config, thinks
from gateway_gemini.tools import write_choice, write_tools
from gateway_gemini.turns import TurnWriter

_Json = dict[str, Any]
_OWN: Final = ("cachedContent", "labels", "safetySettings")
"""Fields beside the prompt; clients may give them in this spelling or with underscores, bare or under `google`."""
_CONFIG: Final = (
    "topK",
    "presencePenalty",
    "frequencyPenalty",
    "mediaResolution",
    "responseModalities",
    "speechConfig",
)
"""The same within `generationConfig`."""
_ASKED: Final = frozenset(("extra_body", "google", "logprobs", "thinking", "top_logprobs", "web_search_options"))
"""What other clients say besides, and has a place."""
_TOP: Final = frozenset(("contents", "generationConfig", "systemInstruction", "toolConfig", "tools", *_OWN))


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The body to send, with the model's defaults and quirks applied."""
    body, lost = _body(request.prompt, generation(asked_model(request, model)))
    request.lose(lost)
    return told(body, _defaults(model.parameters), model.quirks, inner="generationConfig", request=request)


def _body(prompt: Prompt, model: Generation | None) -> tuple[_Json, list[str]]:
    """What the prompt says in Gemini's words, and the names of what has no place there."""
    _refuse_what_would_change(prompt)
    google = _google(prompt.extra)
    system, turns = _hoisted(prompt)
    signs, sees = model is not None and model.signs_calls, model is not None and model.sees_results
    writer = TurnWriter(turns, signs=signs, sees=sees)
    contents = writer.contents()
    instructions = [{"text": part.text} for part in system if isinstance(part, TextPart) and part.text]
    if instructions and not contents:  # there has to be something to answer
        contents, instructions = [{"role": "user", "parts": instructions}], []
    declared = write_tools(prompt.tools, prompt.tool_choice)
    tools = [*declared, *_google_tools(prompt.extra, google)]
    calling = write_choice(prompt.tool_choice) if declared else None
    said: _Json = {
        "systemInstruction": {"parts": instructions} if instructions else None,
        "contents": contents,
        "tools": tools or None,
        "toolConfig": {"functionCallingConfig": calling} if calling else None,
        "generationConfig": _config(prompt, model, google) or None,
        **{name: google.get(name) for name in _OWN},
    }
    return {name: value for name, value in said.items() if value is not None}, [*writer.lost, *_lost(prompt, said)]


def _lost(prompt: Prompt, said: Mapping[str, Any]) -> list[str]:
    known = {name for name in prompt.extra if name in _ASKED or _camel(name) in (*_OWN, *_CONFIG, "thinkingConfig")}
    unsaid = {
        "parallel_tools": prompt.parallel_tools is False,
        "reasoning": thinks(prompt.reasoning) and "thinkingConfig" not in (said["generationConfig"] or {}),
    }
    return [*lost_words(prompt, known | {"is_error"}), *(name for name, lost in unsaid.items() if lost)]


def _config(prompt: Prompt, model: Generation | None, google: Mapping[str, Any]) -> _Json:
    asks = prompt.extra.get("logprobs") is True
    said: _Json = {
        "candidateCount": prompt.n if prompt.n not in (None, 1) else None,
        "maxOutputTokens": prompt.max_tokens,
        "temperature": prompt.temperature,
        "topP": prompt.top_p,
        "stopSequences": list(prompt.stop) or None,
        "seed": prompt.seed,
        **_format(prompt.response_format),
        "responseLogprobs": True if asks else None,
        "logprobs": prompt.extra.get("top_logprobs") if asks else None,
        "thinkingConfig": google.get("thinkingConfig") or thinking_config(prompt.reasoning, model),
        **{name: google.get(name) for name in _CONFIG},
    }
    return {name: value for name, value in said.items() if value is not None}


def _format(form: ResponseFormat | None) -> _Json:
    """A schema goes as it is: `responseJsonSchema` takes JSON Schema where `responseSchema` has words of its own."""
    if form is None or form.kind == "text":
        return {}
    return {"responseMimeType": "application/json", "responseJsonSchema": form.schema}


def _refuse_what_would_change(prompt: Prompt) -> None:
    if "audio" in (prompt.extra.get("modalities") or ()):
        raise InvalidRequest("The model of this request does not answer with sound.", param="modalities")
    if prompt.extra.get("previous_response_id") is not None:
        raise InvalidRequest("The model of this request remembers no answers.", param="previous_response_id")


def _hoisted(prompt: Prompt) -> tuple[list[TextPart | OpaquePart], list[Message]]:
    """Instructions in the midst of a conversation go to its start: there is no other place for them."""
    moved = [part for m in prompt.messages if m.role == "system" for part in m.parts if isinstance(part, TextPart)]
    return [*prompt.system, *moved], [message for message in prompt.messages if message.role != "system"]


def _google(extra: Mapping[str, Any]) -> _Json:
    """What a client says in Google's own words: as Google's endpoint for chat takes it, or bare."""
    body = extra.get("extra_body")
    nested = (body.get("google") if isinstance(body, dict) else None, extra.get("google"))
    out: _Json = {}
    for given in (extra, *(one for one in nested if isinstance(one, dict))):
        out |= {_camel(name): value for name, value in given.items()}
    thinking = out.get("thinkingConfig")
    if isinstance(thinking, dict):
        out["thinkingConfig"] = {_camel(name): value for name, value in thinking.items()}
    return out


def _google_tools(extra: Mapping[str, Any], google: Mapping[str, Any]) -> list[_Json]:
    """Tools that Google runs; a search of the web is what chat clients can ask for in their own words."""
    given = google.get("tools")
    tools = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [*tools, *([{"googleSearch": {}}] if extra.get("web_search_options") is not None else [])]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


def _defaults(parameters: Mapping[str, Any]) -> _Json:
    """A model's parameters in their places: those that are not beside the prompt are in `generationConfig`."""
    outer = {name: value for name, value in parameters.items() if name in _TOP}
    inner = {name: value for name, value in parameters.items() if name not in _TOP}
    return {**outer, "generationConfig": {**inner, **outer.get("generationConfig", {})}} if inner else outer
