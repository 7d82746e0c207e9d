"""The tools of a prompt, for upstreams that know no other tools than functions."""

from collections.abc import Collection, Iterator

from gateway.errors import InvalidRequest
from gateway.prompt import Prompt, Tool


def functions(prompt: Prompt, only: Collection[str | None] = ()) -> Iterator[Tool]:
    """The functions that may be called, of the names in `only` where there are any.

    Tools that another upstream runs itself are passed over; raises `InvalidRequest` for one that takes free text.
    """
    for tool in prompt.tools:
        if not isinstance(tool, Tool):
            continue
        if tool.kind == "custom":
            raise InvalidRequest(f"The model of this request takes no free-text tool ('{tool.name}').", param="tools")
        if not only or tool.name in only:
            yield tool
