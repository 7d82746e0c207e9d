"""An upstream's whole message with what plugins made of its words."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.prompt import Part, TextPart
from gateway.wire.messages.blocks import READ
from gateway.wire.messages.contents import block


def patched_content(content: Sequence[Any], parts: Mapping[int, Part], maker: str) -> list[Any]:
    """The blocks of a message, the parts of the answer in their places; new parts come behind them.

    A block keeps what it says besides: the citations of a text that has not changed, who called a tool.
    """
    out = []
    for index, given in enumerate(content):
        if not isinstance(given, dict) or given.get("type") not in READ:
            out.append(given)
            continue
        part = parts.get(index)
        said = block(part, (), maker) if part is not None else None
        if said is None:
            continue
        if isinstance(part, TextPart) and part.text == given.get("text"):
            said.pop("citations")
        out.append({**given, **said})
    new = (block(part, (), maker) for index, part in parts.items() if index >= len(content))
    return [*out, *(said for said in new if said is not None)]
