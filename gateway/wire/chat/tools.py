"""Tools of a chat request, both ways."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from gateway.prompt import OpaqueTool, Tool, ToolChoice
from gateway.wire.reading import listed, nothing_else, objected, optional_text, text

_TOOL: Final = frozenset(("name", "description", "parameters"))
_TYPE: Final = frozenset(("type", "function", "custom"))
_MODES: Final[tuple[Literal["auto", "none", "required"], ...]] = ("auto", "none", "required")


def read_tool(value: Any, where: str) -> Tool | OpaqueTool:
    """One element of `tools`; raises `InvalidRequest`."""
    given = objected(value, where)
    kind = given.get("type", "function")
    if kind not in ("function", "custom"):
        return OpaqueTool(dialect="chat", value=given)
    said = objected(given.get(kind), f"{where}.{kind}")
    return Tool(
        name=text(said.get("name"), f"{where}.{kind}.name"),
        description=optional_text(said.get("description"), f"{where}.{kind}.description"),
        parameters=said.get("parameters"),
        kind=kind,
        extra={**nothing_else(said, _TOOL), **nothing_else(given, _TYPE)},
    )


def write_tool(tool: Tool | OpaqueTool, lost: list[str], *, own: bool) -> Mapping[str, Any] | None:
    """The same as chat says it; None, and named in `lost`, for another dialect's own.

    `own` says that it was read from a chat request: what it says besides is chat's then. Upstreams refuse the rest.
    """
    if isinstance(tool, OpaqueTool):
        if tool.dialect == "chat":
            return dict(objected(tool.value, "tools"))
        lost.append("tools")
        return None
    said = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    known = {name: value for name, value in said.items() if value is not None}
    extra = {name: value for name, value in tool.extra.items() if name in ("strict", "format")}
    outside = {name: value for name, value in tool.extra.items() if own and name not in extra}
    return {"type": tool.kind, tool.kind: {**known, **extra}, **outside}


def read_tool_choice(value: Any) -> ToolChoice:
    """`tool_choice`; raises `InvalidRequest`."""
    if isinstance(value, str):
        return ToolChoice(mode=_mode(value))
    given = objected(value, "tool_choice")
    kind = given.get("type")
    if kind in ("function", "custom"):
        return ToolChoice(mode="tool", tool=_named(given, kind, "tool_choice"), kind=kind)
    if kind == "allowed_tools":
        allowed = objected(given.get("allowed_tools"), "tool_choice.allowed_tools")
        tools = listed(allowed.get("tools"), "tool_choice.allowed_tools.tools")
        where = "tool_choice.allowed_tools.tools"
        names = [_named(objected(t, f"{where}[{i}]"), "function", f"{where}[{i}]") for i, t in enumerate(tools)]
        return ToolChoice(mode=_mode(allowed.get("mode")), only=tuple(names))
    return ToolChoice(mode="auto")


def write_tool_choice(choice: ToolChoice) -> Any:
    """The same as chat says it."""
    if choice.mode == "tool":
        return {"type": choice.kind, choice.kind: {"name": choice.tool}}
    if choice.only:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.only]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def _mode(value: Any) -> Literal["auto", "none", "required"]:
    return next((mode for mode in _MODES if mode == value), "auto")


def _named(value: Mapping[str, Any], kind: str, where: str) -> str:
    return text(objected(value.get(kind), f"{where}.{kind}").get("name"), f"{where}.{kind}.name")
