"""How much the model shall think, and in what form it shall answer: `thinking` and `output_config`, both ways."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.prompt import ResponseFormat, Thinking
from gateway.wire.reading import integer, nothing_else, objected, optional_text

_ENABLED: Final = {"enabled": True, "adaptive": True, "disabled": False}
_EFFORTS: Final = {"minimal": "low"}
"""Words of other dialects."""


def read_thinking(thinking: Any, config: Any) -> Thinking | None:
    """What both fields say of thinking; raises `InvalidRequest`."""
    given = {} if thinking is None else objected(thinking, "thinking")
    effort = None
    if config is not None:
        effort = optional_text(objected(config, "output_config").get("effort"), "output_config.effort")
    if not given and effort is None:
        return None
    kind = given.get("type")
    return Thinking(
        effort=effort,
        budget=integer(given.get("budget_tokens"), "thinking.budget_tokens"),
        enabled=_ENABLED.get(kind) if isinstance(kind, str) else None,
        extra=nothing_else(given, frozenset({"budget_tokens"})),
    )


def write_thinking(thinking: Thinking | None, *, own: bool) -> Mapping[str, Any] | None:
    """`thinking`. In another dialect's words an effort means to think, and `none` not to."""
    if thinking is None:
        return None
    kind = thinking.extra.get("type") if own else None
    if thinking.enabled is False or (not own and thinking.effort == "none"):
        kind = "disabled"
    elif kind is None or kind == "disabled":
        thinks = thinking.enabled or (not own and thinking.effort is not None)
        kind = "enabled" if thinking.budget is not None else "adaptive" if thinks else None
    if kind is None:
        return None
    said: dict[str, Any] = {"type": kind}
    if thinking.budget is not None and kind == "enabled":
        said["budget_tokens"] = thinking.budget
    extra = thinking.extra if own else {}
    return {**said, **{name: value for name, value in extra.items() if name != "type"}}


def write_effort(thinking: Thinking | None, *, own: bool) -> str | None:
    """`output_config.effort`."""
    if thinking is None or thinking.effort is None or (not own and thinking.effort == "none"):
        return None
    return thinking.effort if own else _EFFORTS.get(thinking.effort, thinking.effort)


def read_format(config: Any) -> ResponseFormat | None:
    """What `output_config` says of the form; raises `InvalidRequest`."""
    if config is None or (said := objected(config, "output_config").get("format")) is None:
        return None
    given = objected(said, "output_config.format")
    extra = nothing_else(given, frozenset(("type", "schema")))
    if given.get("type") != "json_schema":
        return ResponseFormat(kind="text", extra={**extra, "type": given.get("type")})
    return ResponseFormat(kind="schema", schema=given.get("schema"), extra=extra)


def write_format(form: ResponseFormat | None, *, own: bool) -> Mapping[str, Any] | None:
    """`output_config.format`; None for what has no place, or needs none."""
    if form is None:
        return None
    extra = form.extra if own else {}
    if form.kind == "schema":
        return {"type": "json_schema", "schema": form.schema, **extra}
    return dict(extra) if "type" in extra else None
