"""Masks e-mail addresses and card numbers in answers, wherever the upstream cuts them.

[plugins.pii_masker]
enabled = true
mask = "[masked]"
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict

from gateway import End, Event, Exchange, Failure, Gateway, Reasoning, Refusal, Step, StreamTransform, Text, hookimpl

Words: TypeAlias = Text | Reasoning | Refusal
"""What a person reads. The pieces of a tool call are JSON for a program, and pass as they are."""

_PRIVATE = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+|\b\d(?:[ -]?\d){12,18}\b")
_LONGEST = 320
"""No address is longer: text that goes on for more without a blank is given out."""


class Settings(BaseModel):
    """The table `[plugins.pii_masker]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mask: str = "[masked]"
    """What stands in the place of an address or a number."""


class PiiMasker:
    """Gives every answer a step of its own."""

    guard = True
    """It protects: the gateway does not start without it, and an answer it fails on is ended."""

    def __init__(self, mask: str) -> None:
        self._mask = mask

    def start(self, exchange: Exchange) -> Step:
        """A fresh step."""
        return _Masking(self._mask)


class _Masking:
    """Holds back the end of the text as long as it may become something private."""

    def __init__(self, mask: str) -> None:
        self._mask = mask
        self._held: dict[int, Words] = {}

    def __call__(self, events: list[Event]) -> list[Event]:
        return [given for event in events for given in self._given(event)]

    def _given(self, event: Event) -> Iterator[Event]:
        """What goes on to the client now."""
        # Pings and usage belong to no choice: they pass by what is held back.
        held = self._held.get(getattr(event, "choice", -1))
        if isinstance(event, End | Failure):
            yield from (self._masked(rest, rest.text) for rest in self._held.values())
            self._held.clear()
        elif held and not _goes_on(held, event):
            yield self._masked(held, held.text)
            del self._held[held.choice]
        if isinstance(event, Text | Reasoning | Refusal):
            yield from self._words(event)
        else:
            yield event

    def _words(self, event: Words) -> Iterator[Event]:
        held = self._held.pop(event.choice, None)
        text = held.text + event.text if held else event.text
        settled = _settled(text)
        if rest := text[settled:]:
            # Without a source: this is no longer what the upstream said in that frame.
            self._held[event.choice] = type(event)(text=rest, part=event.part, choice=event.choice)
        if settled or not event.text:
            yield self._masked(event, text[:settled])

    def _masked(self, event: Words, text: str) -> Event:
        masked = _PRIVATE.sub(lambda _: self._mask, text)
        if isinstance(event, Text):
            # Log probabilities spell the text out in clear.
            return msgspec.structs.replace(event, text=masked, logprobs=None)
        return msgspec.structs.replace(event, text=masked)


def _goes_on(held: Words, event: Event) -> bool:
    """Whether the event is more of the text that is held back."""
    return type(event) is type(held) and event.part == held.part and event.text != ""


def _settled(text: str) -> int:
    """How much of the text can no longer become a part of an address or a number."""
    end = len(text)
    while end and len(text) - end < _LONGEST and _is_open(text, end - 1):
        end -= 1
    return end


def _is_open(text: str, at: int) -> bool:
    """Whether what is at that place may stand inside an address, or between two digits of a number."""
    if text[at] != " ":
        return text[at].isalnum() or text[at] in "_.+%@-"
    return text[at - 1 : at].isdecimal() and (at + 1 == len(text) or text[at + 1].isdecimal())


@hookimpl
def register_stream_transforms(gateway: Gateway) -> list[StreamTransform]:
    settings: Settings = gateway.settings
    return [PiiMasker(settings.mask)]
