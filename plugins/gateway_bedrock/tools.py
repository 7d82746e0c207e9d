"""The tools of a Converse request."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway import Prompt, Tool, ToolCallPart, ToolChoice
from gateway.wire.tools import functions
from gateway_bedrock.messages import cache_point

_Json = dict[str, Any]
_ANYTHING: Final = {"type": "object", "properties": {}}


def tool_config(prompt: Prompt) -> _Json | None:
    """`toolConfig`; None where no tool is told of.

    Bedrock refuses calls of earlier turns without tools, and has no word for "none": the tools are then told of where
    there are such calls, else left out. Raises `InvalidRequest` for a tool that takes free text.
    """
    called = {part.name: None for m in prompt.messages for part in m.parts if isinstance(part, ToolCallPart)}
    choice = prompt.tool_choice
    unwanted = choice is not None and choice.mode == "none"
    if unwanted and not called:
        return None
    tools = _tools(prompt, choice)
    if not tools:
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": _ANYTHING}}} for name in called]
    if not tools:
        return None
    said = None if choice is None or unwanted else _choice(choice)
    return {"tools": tools, **({"toolChoice": said} if said is not None else {})}


def _tools(prompt: Prompt, choice: ToolChoice | None) -> list[_Json]:
    only: Sequence[str] = choice.only if choice is not None else ()
    out: list[_Json] = []
    for tool in functions(prompt, only):
        out.append({"toolSpec": _spec(tool)})
        if point := cache_point(tool.extra):
            out.append(point)
    return out


def _spec(tool: Tool) -> Mapping[str, Any]:
    schema = tool.parameters if tool.parameters is not None else _ANYTHING
    said: _Json = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        said["description"] = tool.description
    if tool.extra.get("strict") is True:
        said["strict"] = True
    return said


def _choice(choice: ToolChoice) -> _Json:
    if choice.mode == "tool":
        return {"tool": {"name": choice.tool}}
    return {"any": {}} if choice.mode == "required" else {"auto": {}}
