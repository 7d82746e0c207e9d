"""How a responses request wants its answer: `reasoning`, `text` and what is included, both ways."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.prompt import ResponseFormat, Thinking
from gateway.wire.reading import boolean, nothing_else, objected, optional_text

LOGPROBS: Final = "message.output_text.logprobs"
_BUDGETS: Final = ((4096, "low"), (16384, "medium"))
"""Thinking in tokens as words: up to so many are `low`, `medium`, all above are `high` (as OpenRouter maps them)."""


def read_reasoning(value: Any) -> Thinking | None:
    """`reasoning`; raises `InvalidRequest`."""
    if value is None:
        return None
    given = objected(value, "reasoning")
    effort = optional_text(given.get("effort"), "reasoning.effort")
    extra = nothing_else(given, frozenset({"effort"}))
    return Thinking(effort=effort, extra=extra) if effort is not None or extra else None


def write_reasoning(thinking: Thinking | None, *, own: bool) -> Mapping[str, Any] | None:
    """The same as responses say it."""
    if thinking is None:
        return None
    effort = thinking.effort
    if effort is None and thinking.enabled is False:
        effort = "none"
    elif effort is None and thinking.budget is not None:
        effort = next((word for most, word in _BUDGETS if thinking.budget <= most), "high")
    said = {"effort": effort} if effort is not None else {}
    return {**said, **(thinking.extra if own else {})} or None


def read_format(text: Any) -> ResponseFormat | None:
    """`text.format`; raises `InvalidRequest`."""
    if text is None or (said := objected(text, "text").get("format")) is None:
        return None
    given = objected(said, "text.format")
    kind = given.get("type")
    if kind == "json_schema":
        return ResponseFormat(
            kind="schema",
            name=optional_text(given.get("name"), "text.format.name"),
            schema=given.get("schema"),
            strict=boolean(given.get("strict"), "text.format.strict"),
            extra=nothing_else(given, frozenset(("type", "name", "schema", "strict"))),
        )
    extra = nothing_else(given, frozenset({"type"}))
    return ResponseFormat(kind="json" if kind == "json_object" else "text", extra=extra)


def write_text(form: ResponseFormat | None, verbosity: Any, given: Any, *, own: bool) -> Mapping[str, Any] | None:
    """`text` with the form and the verbosity of the prompt, and what else was given."""
    rest = dict(nothing_else(given, frozenset(("format", "verbosity")))) if isinstance(given, dict) else {}
    if form is not None:
        rest["format"] = _format(form, form.extra if own else {})
    if verbosity is not None:
        rest["verbosity"] = verbosity
    return rest or None


def _format(form: ResponseFormat, extra: Mapping[str, Any]) -> Mapping[str, Any]:
    if form.kind != "schema":
        return {"type": "json_object" if form.kind == "json" else "text", **extra}
    said = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema, "strict": form.strict}
    described = {"description": form.extra["description"]} if "description" in form.extra else {}
    return {**{name: value for name, value in said.items() if value is not None}, **described, **extra}


def included(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says in other words than chat completions: how long to be, and log probabilities."""
    said: dict[str, Any] = {}
    text, include = values.get("text"), values.get("include")
    if isinstance(text, dict) and text.get("verbosity") is not None:
        said["verbosity"] = text["verbosity"]
    if isinstance(include, list) and LOGPROBS in include:
        said["logprobs"] = True
    return said
