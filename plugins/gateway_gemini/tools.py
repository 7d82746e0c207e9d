"""The tools of a prompt as a Gemini request says them."""

from collections.abc import Sequence
from typing import Any

from gateway import InvalidRequest
from gateway.prompt import OpaqueTool, Tool, ToolChoice

_Json = dict[str, Any]


def write_tools(tools: Sequence[Tool | OpaqueTool], choice: ToolChoice | None) -> list[_Json]:
    """`tools`: one object with all functions; another dialect's own tools are left out.

    Where the model may choose, only those it may choose among are declared: names can be given for a must alone.
    Raises `InvalidRequest` for a tool that takes free text: its calls could not be told.
    """
    only = choice.only if choice is not None and choice.mode == "auto" else ()
    declarations = []
    for tool in tools:
        if isinstance(tool, OpaqueTool):
            continue
        if tool.kind == "custom":
            raise InvalidRequest(f"The model of this request takes no free-text tool ('{tool.name}').", param="tools")
        if not only or tool.name in only:
            declarations.append(_declaration(tool))
    return [{"functionDeclarations": declarations}] if declarations else []


def write_choice(choice: ToolChoice | None) -> _Json | None:
    """`toolConfig.functionCallingConfig`; None for nothing."""
    if choice is None:
        return None
    if choice.mode in ("auto", "none"):
        return {"mode": choice.mode.upper()}
    names = [choice.tool] if choice.mode == "tool" else list(choice.only)
    return {"mode": "ANY", **({"allowedFunctionNames": names} if names else {})}


def _declaration(tool: Tool) -> _Json:
    """The schema goes as it is: `parametersJsonSchema` takes JSON Schema where `parameters` has words of its own."""
    said = {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
    return {name: value for name, value in said.items() if value is not None}
