"""What a client asked for: every top-level field exactly as it was sent, and the same as a prompt on demand."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from gateway.prompt import Prompt

Fields = Mapping[str, msgspec.Raw]


class Written(NamedTuple):
    """A prompt as the fields of a dialect."""

    fields: Mapping[str, msgspec.Raw | None]
    """What to replace; None: to remove."""
    lost: tuple[str, ...] = ()
    """What the dialect has no place for, by name."""


class PromptCodec(Protocol):
    """How a dialect says a prompt: both ways between its fields and the neutral view."""

    def read(self, fields: Fields) -> Prompt:
        """The prompt that the fields say; raises `InvalidRequest` naming the field that cannot be read."""
        ...

    def write(self, prompt: Prompt, before: Prompt, fields: Fields) -> Written:
        """The fields to replace so that they say `prompt`, where they said `before`.

        What does not differ is not named; messages that do not differ keep their bytes. For another dialect's prompt
        `before` is an empty one, and there are no `fields`.
        """
        ...


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request, immutable; `fields` hold the bytes of each top-level value, in the order sent."""

    dialect: str
    """Name of the dialect `fields` are written in, such as `chat`."""
    model: str
    """The name the model lookups are asked for."""
    malformed_id: str = ""
    """Not empty when `model` has to be an id and is none: what the client is told where no lookup has its own words."""
    stream: bool
    fields: Fields
    keeps_model: bool = False
    """True when the client names the upstream's model itself: a route of one then leaves `fields["model"]` alone."""
    verbatim: bool = False
    """True when the upstream is to see what the client said: of quirks only the model's own apply, none of a table."""
    choices: int = 1
    """How many choices were asked for (`n`)."""
    codec: PromptCodec | None = None
    """How `fields` say a prompt; None for a request that is no chat, such as embeddings."""
    adds_usage: bool = False
    """Whether the upstream is asked for usage although the client was not: that one event is then kept from it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The client's headers that an upstream of the same dialect is to see; names in lower case."""
    lost: tuple[str, ...] = ()
    """What a translation had no place for, by name."""
    read_before: Prompt | None = None
    """The prompt once it was read: kept, because reading it costs."""

    @property
    def prompt(self) -> Prompt:
        """What the request says, as a typed view without its dialect; read on first use.

        Raises `InvalidRequest` naming the field that cannot be read, `TypeError` for a request that is no chat.
        """
        if self.read_before is None:
            if self.codec is None:
                raise TypeError(f"A request in the dialect {self.dialect!r} has no prompt.")
            msgspec.structs.force_setattr(self, "read_before", self.codec.read(self.fields))
            assert self.read_before is not None
        return self.read_before

    def with_prompt(self, prompt: Prompt) -> "ChatRequest":
        """A copy that says this prompt; only the fields that differ are written anew."""
        before = self.prompt
        if prompt == before or self.codec is None:
            return self
        written = self.codec.write(prompt, before, self.fields)
        return msgspec.structs.replace(
            self._with(written.fields),
            read_before=prompt,
            choices=self.choices if prompt.n == before.n else prompt.n or 1,
            lost=(*self.lost, *written.lost),
        )

    def with_fields(self, **changes: msgspec.Raw | None) -> "ChatRequest":
        """A copy with these fields replaced or added; None removes one."""
        return self._with(changes)

    def with_keeps_model(self, keeps: bool) -> "ChatRequest":
        """A copy whose `fields["model"]` is kept or replaced."""
        return msgspec.structs.replace(self, keeps_model=keeps)

    def _with(self, changes: Mapping[str, msgspec.Raw | None]) -> "ChatRequest":
        fields = {**self.fields, **{name: value for name, value in changes.items() if value is not None}}
        for name, value in changes.items():
            if value is None:
                fields.pop(name, None)
        return msgspec.structs.replace(self, fields=fields, read_before=None)
