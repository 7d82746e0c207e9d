"""What an upstream of this dialect said that no other dialect knows: kept where the answer is written anew."""

from typing import Any, Final

from gateway.events import Frame, Opaque
from gateway.wire.json import decode_value, encode_value

_DERIVED: Final = frozenset(
    (
        "comment",
        "content_block_delta",
        "content_block_start",
        "done",
        "message_delta",
        "message_start",
        "passing",
        "ping",
    )
)
"""Frames that say nothing which the writer does not say by itself."""


class ForeignBlocks:
    """Gives blocks without neutral words (what the upstream's own tools did) their new places."""

    __slots__ = ("_indices",)

    def __init__(self) -> None:
        self._indices: dict[Any, int] = {}

    def renumbered(self, event: Opaque, free: int) -> tuple[bytes, int] | None:
        """The frame with its block's new index, and that index: `free` where the block begins; None: nothing to say.

        A frame of an unknown kind goes as it came, with -1.
        """
        frame = event.source
        if frame is None or event.kind in _DERIVED:
            return None
        said = began_with(frame, None)
        kind = said.get("type")
        if kind not in ("content_block_start", "content_block_delta", "content_block_stop"):
            return frame.raw, -1
        before = said.get("index")
        if kind == "content_block_start":
            self._indices[before] = free
        index = self._indices.get(before)
        if index is None:
            return None
        data = bytes(encode_value({**said, "index": index}))
        return f"event: {kind}\ndata: ".encode() + data + b"\n\n", index


def began_with(frame: Frame | None, name: str | None) -> dict[str, Any]:
    """The object of that name in a frame, or all of it; empty where there is none."""
    try:
        value = decode_value(frame.data) if frame is not None and frame.data is not None else None
    except (ValueError, RecursionError):
        return {}
    if name is not None and isinstance(value, dict):
        value = value.get(name)
    return dict(value) if isinstance(value, dict) else {}
