"""What a client asked for: every top-level field exactly as it was sent, and the same as a prompt on demand."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from gateway.errors import InvalidRequest
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


class NotChat(TypeError):
    """A request that is no chat, such as one for embeddings, was asked for its prompt."""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, immutable; `fields` hold the bytes of each top-level value, in the order sent."""

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
    """How `fields` say a prompt; None where nobody can read them as one."""
    adds_usage: bool = False
    """Whether the upstream is asked for usage although the client was not: that one event is then kept from it."""
    method: str = "POST"
    """How its dialect is asked."""
    answer: str = ""
    """The client's id of an answer that an upstream keeps, where the request is about one: its model is asked."""
    path: str = ""
    """Where its dialect is asked below a base URL, such as `/embeddings`; empty where every upstream knows."""
    body: bytes = b""
    """As sent, where `fields` are not all of it: a form with files."""
    bound: tuple[str, ...] = ()
    """Fields that only an upstream of the same dialect can honour, by name: to any other the request is not sent."""
    headers: tuple[tuple[str, str], ...] = ()
    """The client's headers that an upstream of the same dialect is to see; names in lower case."""
    lost: tuple[str, ...] = ()
    """What a translation had no place for, by name."""
    strict: bool = False
    """Whether a translation refuses what it has no place for."""
    read_before: Prompt | None = None
    """The prompt once it was read: kept, because reading it costs."""

    @property
    def is_chat(self) -> bool:
        """False for embeddings, images, audio and the like: requests for one path, which nothing reads as a prompt."""
        return self.codec is not None or not self.path

    @property
    def prompt(self) -> Prompt:
        """What the request says, as a typed view without its dialect; read on first use.

        Raises `InvalidRequest` naming the field that cannot be read, `NotChat` for a request that is none.
        """
        if self.read_before is None:
            if self.codec is None:
                raise NotChat(f"A request in the dialect {self.dialect!r} has no prompt.")
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

    def written_by(self, codec: PromptCodec) -> dict[str, msgspec.Raw]:
        """The prompt as the fields of another dialect; what that has no place for is in `lost` from then on.

        Raises `InvalidRequest` naming it where the request is strict.
        """
        written = codec.write(self.prompt, Prompt(), {})
        self.lose(written.lost)
        return {name: value for name, value in written.fields.items() if value is not None}

    def lose(self, names: Iterable[str]) -> None:
        """Note what a translation has no place for; raises `InvalidRequest` naming it where the request is strict."""
        lost = tuple(dict.fromkeys((*self.lost, *names)))
        if lost and self.strict:
            raise InvalidRequest(f"The model of this request has no place for: {', '.join(lost)}.", param=lost[0])
        msgspec.structs.force_setattr(self, "lost", lost)

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
