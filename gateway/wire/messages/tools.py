"""Tools of a messages request, both ways."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from gateway.errors import InvalidRequest
from gateway.prompt import OpaqueTool, Tool, ToolChoice
from gateway.wire.reading import boolean, nothing_else, objected, optional_text, text

_TOOL: Final = frozenset(("name", "description", "input_schema", "type"))
_SHARED: Final = frozenset(("cache_control", "strict"))
"""What another dialect's tools say besides, and messages upstreams know."""
_MODES: Final[Mapping[str, Literal["auto", "none", "required", "tool"]]] = {
    "auto": "auto",
    "any": "required",
    "tool": "tool",
    "none": "none",
}
_NAMES: Final = {mode: name for name, mode in _MODES.items()}
_ANYTHING: Final = {"type": "object", "properties": {}}


def read_tool(value: Any, where: str) -> Tool | OpaqueTool:
    """One element of `tools`; raises `InvalidRequest`. What the upstream runs or defines itself is opaque."""
    given = objected(value, where)
    if given.get("type") not in (None, "custom"):
        return OpaqueTool(dialect="messages", value=given)
    return Tool(
        name=text(given.get("name"), f"{where}.name"),
        description=optional_text(given.get("description"), f"{where}.description"),
        parameters=given.get("input_schema"),
        extra=nothing_else(given, _TOOL),
    )


def write_tools(tools: Sequence[Tool | OpaqueTool], choice: ToolChoice | None, *, own: bool) -> list[Mapping[str, Any]]:
    """The same as messages say it, as far as the choice allows them; another dialect's own are left out.

    Raises `InvalidRequest` for a tool that takes free text: its calls could not be told.
    """
    only = choice.only if choice is not None else ()
    out: list[Mapping[str, Any]] = []
    for tool in tools:
        if isinstance(tool, OpaqueTool):
            if tool.dialect == "messages":
                out.append(tool.value)
        elif tool.kind == "custom":
            raise InvalidRequest(f"The model of this request takes no free-text tool ('{tool.name}').", param="tools")
        elif not only or tool.name in only:
            out.append(_tool(tool, own=own))
    return out


def _tool(tool: Tool, *, own: bool) -> Mapping[str, Any]:
    schema = tool.parameters if tool.parameters is not None or own else _ANYTHING
    said = {"name": tool.name, "description": tool.description, "input_schema": schema}
    extra = {name: value for name, value in tool.extra.items() if own or (name in _SHARED and value is not None)}
    return {**{name: value for name, value in said.items() if value is not None}, **extra}


def read_tool_choice(value: Any) -> tuple[ToolChoice | None, bool | None]:
    """`tool_choice`, and whether calls may come in parallel; raises `InvalidRequest`."""
    if value is None:
        return None, None
    given = objected(value, "tool_choice")
    kind = text(given.get("type"), "tool_choice.type")
    mode = _MODES.get(kind)
    if mode is None:
        raise InvalidRequest(f"'tool_choice.type' must be one of {', '.join(_MODES)}.", param="tool_choice.type")
    name = text(given.get("name"), "tool_choice.name") if mode == "tool" else None
    alone = boolean(given.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
    return ToolChoice(mode=mode, tool=name), None if alone is None else not alone


def write_tool_choice(choice: ToolChoice | None, parallel: bool | None) -> Mapping[str, Any] | None:
    """The same as messages say it; None for nothing."""
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if parallel is False else None
    said: dict[str, Any] = {"type": _NAMES[choice.mode]}
    if choice.mode == "tool":
        said["name"] = choice.tool
    if parallel is not None and choice.mode != "none":
        said["disable_parallel_tool_use"] = not parallel
    return said
