"""What an upstream of this dialect said that no other dialect knows: kept where the answer is written anew."""

from typing import Any, Final

from gateway.events import Opaque
from gateway.wire.json import decode_value
from gateway.wire.responses.output import Item
from gateway.wire.responses.reader import DERIVED
from gateway.wire.responses.stream import OutputStream

_SILENT: Final = frozenset((DERIVED, "comment", "done", "keepalive", "passing"))


class ForeignItems:
    """Gives items without neutral words (what the upstream's own tools did, silent thinking) their new places."""

    __slots__ = ("_items", "_stream")

    def __init__(self, stream: OutputStream) -> None:
        self._stream = stream
        self._items: dict[Any, Item] = {}

    def knows(self, event: Opaque) -> bool:
        """Whether its frame says what no other event does."""
        return event.source is not None and event.source.data is not None and event.kind not in _SILENT

    def passed(self, event: Opaque) -> bytes:
        """The frame with the place of its item and its own number."""
        frame = event.source
        assert frame is not None
        assert frame.data is not None
        said = dict(decode_value(frame.data))  # the reader has read it: it is an object
        said.pop("sequence_number", None)
        name = str(said.pop("type", None) or frame.name or event.kind)
        before, given = said.pop("output_index", None), said.get("item")
        if name == "response.output_item.added" and isinstance(given, dict):
            out, self._items[before] = self._stream.begin(str(given.get("type")), given)
            return out
        if event.kind == "reasoning" and isinstance(given, dict):  # only as it ends it is known to have no words
            return self._stream.begin(event.kind, given)[0] + self._stream.close()
        if before is None:
            return self._stream.event(name, **said)
        item = self._items.get(before)
        if item is None:
            return b""
        if name == "response.output_item.done" and isinstance(given, dict):
            item.given = given
        return self._stream.event(name, output_index=item.index, **said)
