"""Tools of a responses request, both ways."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from gateway.prompt import OpaqueTool, Tool, ToolChoice
from gateway.wire.reading import listed, nothing_else, objected, optional_text, text

_TOOL: Final = frozenset(("type", "name", "description", "parameters"))
_SHARED: Final = frozenset(("strict", "format"))
"""What another dialect's tools say besides, and responses upstreams know."""
_MODES: Final[tuple[Literal["auto", "none", "required"], ...]] = ("auto", "none", "required")


def read_tool(value: Any, where: str) -> Tool | OpaqueTool:
    """One element of `tools`; raises `InvalidRequest`. What the upstream runs itself is opaque."""
    given = objected(value, where)
    kind = given.get("type")
    if kind not in ("function", "custom"):
        return OpaqueTool(dialect="responses", value=given)
    extra = dict(nothing_else(given, _TOOL))
    if kind == "custom" and isinstance(form := extra.get("format"), dict) and form.get("type") == "grammar":
        # as chat completions have it
        extra["format"] = {"type": "grammar", "grammar": dict(nothing_else(form, frozenset({"type"})))}
    return Tool(
        name=text(given.get("name"), f"{where}.name"),
        description=optional_text(given.get("description"), f"{where}.description"),
        parameters=given.get("parameters"),
        kind=kind,
        extra=extra,
    )


def write_tool(tool: Tool | OpaqueTool, lost: list[str], *, own: bool) -> Mapping[str, Any] | None:
    """The same as responses say it; None, and named in `lost`, for another dialect's own."""
    if isinstance(tool, OpaqueTool):
        if tool.dialect == "responses":
            return dict(objected(tool.value, "tools"))
        lost.append("tools")
        return None
    said = {"type": tool.kind, "name": tool.name, "description": tool.description, "parameters": tool.parameters}
    extra = {name: value for name, value in tool.extra.items() if own or (name in _SHARED and value is not None)}
    form = extra.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), Mapping):
        extra["format"] = {"type": "grammar", **form["grammar"]}
    if not own and tool.kind == "function":
        extra.setdefault("strict", False)  # what other dialects mean where they say nothing
        said["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {**{name: value for name, value in said.items() if value is not None}, **extra}


def read_tool_choice(value: Any) -> ToolChoice | None:
    """`tool_choice`; raises `InvalidRequest`."""
    if value is None:
        return None
    if isinstance(value, str):
        return ToolChoice(mode=_mode(value))
    given = objected(value, "tool_choice")
    kind = given.get("type")
    if kind in ("function", "custom"):
        return ToolChoice(mode="tool", tool=text(given.get("name"), "tool_choice.name"), kind=kind)
    if kind == "allowed_tools":
        tools = [objected(tool, "tool_choice.tools") for tool in listed(given.get("tools"), "tool_choice.tools")]
        names = tuple(tool["name"] for tool in tools if isinstance(tool.get("name"), str))
        return ToolChoice(mode=_mode(given.get("mode")), only=names)
    return ToolChoice(mode="auto")


def write_tool_choice(choice: ToolChoice) -> Any:
    """The same as responses say it."""
    if choice.mode == "tool":
        return {"type": choice.kind, "name": choice.tool}
    if choice.only:
        tools = [{"type": "function", "name": name} for name in choice.only]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.mode


def _mode(value: Any) -> Literal["auto", "none", "required"]:
    return next((mode for mode in _MODES if mode == value), "auto")
