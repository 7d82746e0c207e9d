"""What a request says, in words that every dialect shares: the typed, neutral view of a chat request.

Every noun has `extra`: what its dialect also said there, as JSON, so that the same dialect loses nothing and another
one takes what it knows (`cache_control`, `strict`, ...).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec

Extra: TypeAlias = Mapping[str, Any]
NOTHING: Final[Extra] = MappingProxyType({})
Role: TypeAlias = Literal["user", "assistant", "tool", "system"]
"""`system` only in the midst of a conversation; instructions at its start are `Prompt.system`."""


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Visible text."""

    text: str
    refusal: bool = False
    """Whether the model declined with it."""
    extra: Extra = NOTHING


class MediaPart(msgspec.Struct, frozen=True, kw_only=True, tag="media"):
    """An image, a sound or a document: by address, by value or by the id of an upload."""

    kind: Literal["image", "audio", "file"]
    media_type: str | None = None
    """Such as `image/png`; None where the dialect does not say."""
    data: str | None = None
    """Base64."""
    url: str | None = None
    id: str | None = None
    """Only valid at the maker that gave it."""
    name: str | None = None
    extra: Extra = NOTHING


class ReasoningPart(msgspec.Struct, frozen=True, kw_only=True, tag="reasoning"):
    """Thinking of an earlier answer; `signature` and `redacted` are only valid at `maker`, an upstream dialect."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    maker: str | None = None
    extra: Extra = NOTHING


class ToolCallPart(msgspec.Struct, frozen=True, kw_only=True, tag="tool_call"):
    """A call the model made; `arguments` is the text of it, JSON for functions."""

    id: str
    name: str
    arguments: str = ""
    kind: Literal["function", "custom"] = "function"
    signature: str | None = None
    extra: Extra = NOTHING


class ToolResultPart(msgspec.Struct, frozen=True, kw_only=True, tag="tool_result"):
    """What a tool answered to the call of that id."""

    id: str
    parts: tuple["TextPart | MediaPart | OpaquePart", ...] = ()
    is_error: bool = False
    extra: Extra = NOTHING


class OpaquePart(msgspec.Struct, frozen=True, kw_only=True, tag="opaque"):
    """What only one dialect can say; goes to no other."""

    dialect: str
    value: Any


Part: TypeAlias = TextPart | MediaPart | ReasoningPart | ToolCallPart | ToolResultPart | OpaquePart


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the conversation."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    extra: Extra = NOTHING

    @property
    def text(self) -> str:
        """All visible text of it."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool the model may call. `parameters` is a JSON Schema; None for one that takes free text."""

    name: str
    description: str | None = None
    parameters: Any = None
    kind: Literal["function", "custom"] = "function"
    extra: Extra = NOTHING


class OpaqueTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the upstream itself runs, as its dialect describes it."""

    dialect: str
    value: Any


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the model must call a tool; `tool` names the one it has to."""

    mode: Literal["auto", "none", "required", "tool"]
    tool: str | None = None
    kind: Literal["function", "custom"] = "function"
    only: tuple[str, ...] = ()
    """The tools it may choose among; empty: all."""


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What the text must be: any JSON object, or JSON of a schema."""

    kind: Literal["text", "json", "schema"]
    name: str | None = None
    schema: Any = None
    strict: bool | None = None
    extra: Extra = NOTHING


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model shall think: in a word, in tokens, or both; `enabled` False turns it off."""

    effort: str | None = None
    budget: int | None = None
    enabled: bool | None = None
    extra: Extra = NOTHING


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A chat request without its dialect. A field nobody gave is None or empty, never a guess."""

    system: tuple[TextPart | OpaquePart, ...] = ()
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool | OpaqueTool, ...] = ()
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None
    reasoning: Thinking | None = None
    parallel_tools: bool | None = None
    extra: Extra = NOTHING
    """Every other top-level field but the model and whether to stream."""

    @property
    def text(self) -> str:
        """All visible text of all messages, a line each; what an input guard looks at."""
        return "\n".join(message.text for message in self.messages)
