"""Tool calls of a chat upstream: which fragment belongs to which call."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from gateway.wire.chat.chunk import Delta
from gateway.wire.chat.proofs import signature_of
from gateway.wire.ids import new_id
from gateway.wire.javascript import truthy
from gateway.wire.unicode import well_formed


class Fragment(msgspec.Struct, gc=False):
    """What one delta says of one call; `arguments` may hold halves of surrogate pairs."""

    id: str | None
    name: str | None
    arguments: str
    kind: Literal["function", "custom"] = "function"
    signature: str | None = None
    """Google's, of the thinking before the call."""


class Calls:
    """Remembers the ids of an answer's calls: upstreams name them once and go on by index.

    A call that comes with a name and no id gets one of ours: parallel calls are told apart by nothing else.
    """

    __slots__ = ("_ids", "_made")

    def __init__(self) -> None:
        self._ids: dict[tuple[int, int | None], str] = {}
        self._made: set[str] = set()
        """Those that are ours: a name that comes again with one begins another call."""

    def read(self, delta: Delta, choice: int) -> Iterator[Fragment]:
        """The fragments of a delta, in order; those that say nothing are left out."""
        if isinstance(delta.function_call, dict):
            yield from self._fragment(False, None, "function", delta.function_call, None)
        for call in delta.tool_calls if isinstance(delta.tool_calls, list) else ():
            if not isinstance(call, dict):
                continue
            key = _key(choice, call.get("index"))
            id = call.get("id")
            if isinstance(id, str) and id:
                self._ids[key] = well_formed(id)
            kind = _kind_of(call)
            known = self._ids.get(key)
            if not id and _names(call.get(kind)) and (known is None or known in self._made):
                self._made.add(made := f"call_{new_id()}")
                self._ids[key] = made
            yield from self._fragment(bool(id), self._ids.get(key), kind, call.get(kind), signature_of(call))

    def id_of(self, choice: int, index: Any) -> str | None:
        """The id of the call that fragments with this index go on with."""
        return self._ids.get(_key(choice, index))

    def _fragment(
        self, new: bool, id: str | None, kind: Literal["function", "custom"], said: Any, signature: str | None
    ) -> Iterator[Fragment]:
        details = said if isinstance(said, dict) else {}
        name = well_formed(details["name"]) if _names(said) else None
        arguments = details.get("arguments" if kind == "function" else "input")
        if arguments is None:
            arguments = ""
        elif not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if new or truthy(details.get("name")) or arguments or signature:
            yield Fragment(id, name, arguments, kind, signature)


def _key(choice: int, index: Any) -> tuple[int, int | None]:
    return choice, index if isinstance(index, int) else None


def _names(said: Any) -> bool:
    return isinstance(said, dict) and isinstance(name := said.get("name"), str) and bool(name)


def _kind_of(call: Mapping[str, Any]) -> Literal["function", "custom"]:
    """The kind of a call; a fragment that goes on does not say it."""
    goes_on = call.get("type") is None and isinstance(call.get("custom"), dict)
    return "custom" if goes_on or call.get("type") == "custom" else "function"


def first_call_is_writable(delta: Delta) -> bool:
    """Whether the Vercel AI SDK of 2024, which looks at a delta's first call only, got past it without an error."""
    called, calls = _object(delta.function_call), delta.tool_calls
    if truthy(called.get("name")):
        return True
    if calls is not None and not (isinstance(calls, list | str) and calls and calls[0] is not None):
        return False
    function = _object(_object(calls[0]).get("function")) if calls else {}
    if truthy(function.get("name")):
        return True
    arguments = called.get("arguments")
    if not truthy(arguments):
        arguments = function.get("arguments")
    return isinstance(arguments, str) or not truthy(arguments)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
