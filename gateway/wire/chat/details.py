"""`reasoning_details`, as OpenRouter says them: thinking whose maker wants to see every detail again, in its order.

The texts are said as they come. All the rest is one proof of the whole thinking: the details with the length of each
text in its place, which other dialects carry as they carry any signature, and which makes them anew from the text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.prompt import ReasoningPart
from gateway.wire.json import decode_value, encode_value

_Json = dict[str, Any]
_TEXTS: Final[Mapping[Any, str]] = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""Where a detail has its text, by its type; text that came without a detail has no type."""


class Details:
    """The details of one thinking; they may come in fragments."""

    __slots__ = ("_run",)

    def __init__(self) -> None:
        self._run: list[_Json] = []

    def say(self, text: str) -> None:
        """Text that no detail says."""
        if self._run and "type" not in self._run[-1]:
            self._run[-1]["text"] += len(text)
        else:
            self._run.append({"text": len(text)})

    def add(self, details: Sequence[Any], joined: Callable[[str], str] = str) -> str:
        """What the details say; `joined` makes Unicode of each text. Each detail is a whole one."""
        return self._add(details, joined, fragments=False)

    def go_on(self, details: Sequence[Any], joined: Callable[[str], str]) -> str:
        """The same of fragments: those of one type and index that follow each other are one detail."""
        return self._add(details, joined, fragments=True)

    def proof(self) -> str | None:
        """The proof of the thinking; None where no detail came."""
        if not any("type" in one for one in self._run):
            return None
        return bytes(encode_value(self._run)).decode()

    def _add(self, details: Sequence[Any], joined: Callable[[str], str], *, fragments: bool) -> str:
        whole = []
        for given in details:
            if not isinstance(given, dict) or not isinstance(given.get("type"), str):
                continue
            detail, name = dict(given), _TEXTS.get(given["type"])
            if name is not None and isinstance(text := given.get(name), str):
                whole.append(joined(text))
                detail[name] = len(whole[-1])
            last = self._run[-1] if self._run else {}
            if fragments and name is not None and all(last.get(k) == detail.get(k) for k in ("type", "index")):
                detail[name] = (last.get(name) or 0) + (detail.get(name) or 0)
                last |= {key: value for key, value in detail.items() if value is not None}
            else:
                self._run.append(detail)
        return "".join(whole)


def text_of(details: Any) -> str:
    """What the details say."""
    return Details().add(details) if isinstance(details, list) else ""


def details_of(part: ReasoningPart) -> list[_Json]:
    """The details of a thinking that came from a chat upstream; none where its proof is not for this text."""
    run, rest = _run(part.signature), part.text
    details = []
    for one in run:
        name = _TEXTS.get(one.get("type"), "text")
        if isinstance(length := one.get(name), int):
            one[name], rest = rest[:length], rest[length:]
            if len(one[name]) < length:
                return []
        if "type" in one:
            details.append(one)
    return [] if rest else details


def call_proof(part: ReasoningPart) -> str | None:
    """The signature of the call that follows, as it stood in a client's dialect without a place for it."""
    if part.maker != "chat" or part.signature is None or _run(part.signature):
        return None
    return part.signature


def _run(proof: str | None) -> list[_Json]:
    if proof is None or not proof.startswith("["):  # a call's signature is base64
        return []
    try:
        run = decode_value(proof.encode())
    except (ValueError, RecursionError):
        return []
    return [dict(one) for one in run if isinstance(one, dict)] if isinstance(run, list) else []
