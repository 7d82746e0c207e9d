"""The items of an answer's output while they are read: what their deltas say, whatever they were cut into."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from gateway.events import Event, Frame, Reasoning, Refusal, Text, ToolCall
from gateway.wire.responses.failure import citation_of
from gateway.wire.unicode import split_half, well_formed

READ: Final = frozenset(("message", "reasoning", "function_call", "custom_tool_call"))
"""The kinds of items that have words in every dialect."""
BREAK: Final = "\n\n"
"""What stands between two parts of a summary, which are one part of the answer."""


class OpenItem:
    """An item that has begun; `parts` are its contents' places in the answer."""

    __slots__ = ("_halves", "_numbers", "call", "given", "kind", "parts", "spoken", "summary", "told")

    def __init__(self, given: Mapping[str, Any], numbers: Iterator[int]) -> None:
        self.given = given
        self.kind = str(given.get("type"))
        self.call = next((_words(v) for v in (given.get("call_id"), given.get("id")) if isinstance(v, str) and v), None)
        self.parts: dict[int, int] = {}
        self.spoken: set[int] = set()
        """The parts that had words."""
        self.told: set[int] = set()
        """The parts that are in the answer: those with words or a proof, and every call."""
        self.summary = 0
        """Which part of the summary goes on."""
        self._numbers = numbers
        self._halves: dict[int, tuple[type[Text | Refusal | Reasoning | ToolCall], str]] = {}
        """First halves of surrogate pairs whose second halves the next delta may bring, by part."""

    def part(self, content: int = 0) -> int:
        """The part of one of its contents."""
        number = self.parts.get(content)
        if number is None:
            number = self.parts[content] = next(self._numbers)
        return number

    def begin(self, frame: Frame | None) -> list[Event]:
        """What it says as it begins: a call its name."""
        if self.kind not in ("function_call", "custom_tool_call"):
            return []
        name = _words(self.given.get("name")) or ""
        self.told.add(self.part())
        return [ToolCall(part=self.part(), id=self.call, name=name, kind=self._call_kind, source=frame)]

    def text(self, content: int, words: str, frame: Frame | None, *, logprobs: Any = None) -> list[Event]:
        """A piece of text."""
        part = self.part(content)
        words = self._joined(Text, part, words)
        said = {"content": logprobs} if logprobs else None  # as chat completions have them
        return [Text(text=words, part=part, logprobs=said, source=frame)] if words else []

    def refusal(self, content: int, words: str, frame: Frame | None) -> list[Event]:
        """A piece of a refusal."""
        part = self.part(content)
        words = self._joined(Refusal, part, words)
        return [Refusal(text=words, part=part, source=frame)] if words else []

    def thinking(self, words: str, frame: Frame | None, *, summary: int = 0) -> list[Event]:
        """A piece of thinking; `summary` is the part of the summary it belongs to."""
        part, events = self.part(), self.turn(summary, frame)
        words = self._joined(Reasoning, part, words)
        return [*events, Reasoning(text=words, part=part, source=frame)] if words else events

    def turn(self, summary: int, frame: Frame | None) -> list[Event]:
        """Go on with that part of the summary."""
        if summary <= self.summary:
            return []
        self.summary = summary
        return [Reasoning(text=BREAK, part=self.part(), source=frame)] if self.spoken else []

    def arguments(self, words: str, frame: Frame | None) -> list[Event]:
        """A piece of a call's arguments."""
        part = self.part()
        words = self._joined(ToolCall, part, words)
        return [ToolCall(part=part, id=self.call, arguments=words, kind=self._call_kind, source=frame)] if words else []

    def end(self, item: Mapping[str, Any], frame: Frame | None, *, catches_up: bool) -> list[Event]:
        """What is left to say: halves nothing will complete, the proof of thinking, and all that no delta said.

        Without `catches_up` deltas have passed unread, and nothing is known to be missing.
        """
        events = self._rest(frame)
        if self.kind == "reasoning":
            if catches_up and not self.spoken:
                events += self._whole_thinking(item, frame)
            return [*events, *self._proof(item.get("encrypted_content"), frame)]
        if not catches_up:
            return events
        if self.kind != "message":
            words = item.get("arguments" if self.kind == "function_call" else "input")
            return events if self.spoken or not isinstance(words, str) else [*events, *self.arguments(words, frame)]
        contents = item.get("content")
        for index, content in enumerate(contents if isinstance(contents, list) else ()):
            if isinstance(content, dict) and self.part(index) not in self.spoken:
                events += self._content(index, content, frame)
        return events

    def _content(self, index: int, content: Mapping[str, Any], frame: Frame | None) -> list[Event]:
        words, declined = content.get("text"), content.get("refusal")
        if isinstance(declined, str):
            return self.refusal(index, well_formed(declined), frame)
        events = (
            self.text(index, well_formed(words), frame, logprobs=content.get("logprobs"))
            if isinstance(words, str)
            else []
        )
        sources = content.get("annotations")
        for native in sources if isinstance(sources, list) else ():
            if (cited := citation_of(native, self.part(index), source=frame)) is not None:
                events.append(cited)
        return events

    def _whole_thinking(self, item: Mapping[str, Any], frame: Frame | None) -> list[Event]:
        summary, content = item.get("summary"), item.get("content")
        parts = summary if isinstance(summary, list) and summary else content if isinstance(content, list) else []
        texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return self.thinking(well_formed(BREAK.join(texts)), frame) if texts else []

    def _proof(self, proof: Any, frame: Frame | None) -> list[Event]:
        """Opaque where no word of the thinking was shown, else what signs it."""
        if not isinstance(proof, str) or not proof:
            return []
        proof = well_formed(proof)
        self.told.add(self.part())
        if self.spoken:
            return [Reasoning(part=self.part(), signature=proof, source=frame)]
        return [Reasoning(part=self.part(), redacted=proof, source=frame)]

    def _rest(self, frame: Frame | None) -> list[Event]:
        halves, self._halves = self._halves, {}
        events: list[Event] = []
        for part, (kind, _) in halves.items():
            if issubclass(kind, ToolCall):
                call = ToolCall(part=part, id=self.call, arguments="\ufffd", kind=self._call_kind, source=frame)
                events.append(call)
            else:
                events.append(kind(text="\ufffd", part=part, source=frame))
        return events

    def _joined(self, kind: type[Text | Refusal | Reasoning | ToolCall], part: int, text: str) -> str:
        if text:
            self.spoken.add(part)
            self.told.add(part)
        if text.isascii() and not self._halves:
            return text
        text, half = split_half(self._halves.pop(part, (kind, ""))[1] + text)
        if half:
            self._halves[part] = (kind, half)
        return well_formed(text)

    @property
    def _call_kind(self) -> Literal["function", "custom"]:
        return "custom" if self.kind == "custom_tool_call" else "function"


def _words(value: Any) -> str | None:
    return well_formed(value) if isinstance(value, str) else None
