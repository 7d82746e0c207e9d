"""Frames, events and the answer: what an upstream says, in words every dialect shares."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from gateway.parts import Collected

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"]


class Frame(msgspec.Struct, eq=False, gc=False):
    """One event of an upstream's wire: `raw` as it came, `data` inside it, `name` of a named event."""

    raw: bytes
    data: bytes | None
    """None when the frame carries no data (a comment)."""
    name: str | None = None


class FrameTooLarge(Exception):
    """An upstream's event, or its endless line, is longer than a framing takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The upstream sent an event of more than {limit} bytes.")
        self.limit = limit


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base. `source` is the frame the event came from; None when a plugin made it."""

    source: Frame | None = None

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know of it; whether this ends the answer."""
        return False


def _tell_of_a_piece(self: "Text | Reasoning | Refusal | ToolCall", answer: "Answer") -> bool:
    """Let the answer know of one more piece of a choice."""
    answer.deltas += 1
    answer.seen.add(self.choice)
    if answer.finish:
        answer.reopen(self)
    return False


class Start(Event, frozen=True, gc=False):
    """The answer has a name; not content."""

    id: str | None = None
    model: str | None = None
    created: int | None = None

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know its name."""
        answer.name, answer.model, answer.created = self.id, self.model, self.created
        return False


class Text(Event, frozen=True, gc=False):
    """Visible text; always encodable Unicode, never empty."""

    text: str
    part: int | None = None
    choice: int = 0
    logprobs: Any = None

    tell = _tell_of_a_piece


class Reasoning(Event, frozen=True, gc=False):
    """Thinking. `signature` is the maker's opaque proof, `redacted` opaque text."""

    text: str = ""
    part: int | None = None
    choice: int = 0
    signature: str | None = None
    redacted: str | None = None

    tell = _tell_of_a_piece


class Refusal(Event, frozen=True, gc=False):
    """The model declines, in words."""

    text: str
    part: int | None = None
    choice: int = 0

    tell = _tell_of_a_piece


class ToolCall(Event, frozen=True, gc=False):
    """A fragment of a tool call; `arguments` is a piece of JSON text, never parsed."""

    part: int | None = None
    choice: int = 0
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    kind: Literal["function", "custom"] = "function"
    signature: str | None = None

    tell = _tell_of_a_piece


class Citation(Event, frozen=True, gc=False):
    """Where a piece of the text comes from; `start` and `end` count characters of it. `native` is its own shape."""

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None
    part: int | None = None
    choice: int = 0
    native: Any = None


MOST_TOKENS: Final = 10**12
"""That one answer can have; a count beyond it is nobody's, whoever says it."""


class Usage(Event, frozen=True, gc=False):
    """Tokens so far, cumulative: the last one counts. A field nobody reported is None."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    native: Any = None

    @property
    def is_credible(self) -> bool:
        """Whether nobody has to doubt one of the counts."""
        counts = (
            self.input or 0,
            self.output or 0,
            self.cache_read or 0,
            self.cache_write or 0,
            self.reasoning or 0,
        )
        return min(counts) >= 0 and max(counts) <= MOST_TOKENS

    def credible(self) -> "Usage":
        """The same without the counts that cannot be: upstreams say them, and sums and columns have to hold them."""
        said = {name: getattr(self, name) for name in ("input", "output", "cache_read", "cache_write", "reasoning")}
        wrong = {name: None for name, count in said.items() if not 0 <= (count or 0) <= MOST_TOKENS}
        return msgspec.structs.replace(self, **wrong)

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know its tokens, as far as they can be believed."""
        answer.usage = self if self.is_credible else self.credible()
        return False


class Finish(Event, frozen=True, gc=False):
    """One choice is complete."""

    reason: FinishReason
    choice: int = 0
    native: str | None = None
    stop_sequence: str | None = None

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know how one choice ended."""
        answer.finish[self.choice] = self.reason
        answer.finished[self.choice] = self
        if answer.reopened:
            answer.reopened -= {self.choice}
        if self.reason == "error" and answer.is_translated:
            code, message = "upstream_error", f"The upstream broke off its answer: {self.native or self.reason}."
            answer.failure = answer.failure or Failure(code=code, message=message)
            return True
        return False


class End(Event, frozen=True, gc=False):
    """The dialect's own end was seen."""

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know that it ended."""
        answer.ended = True
        return True


class Failure(Event, frozen=True, gc=False):
    """The answer broke; always the last event. `status` is what a client gets when nothing was sent yet."""

    code: str
    message: str
    status: int = 502
    retryable: bool = True
    native: Any = None
    """The upstream's own error object, where it sent one."""

    def tell(self, answer: "Answer") -> bool:
        """Let the answer know how it broke: what was first is what counts."""
        answer.failure = answer.failure or self
        return True


class Opaque(Event, frozen=True, gc=False):
    """A frame that says nothing neutral: a ping, a comment, a role-only delta."""

    kind: str = ""


CONTENT = (Text, Reasoning, Refusal, ToolCall, Finish)
"""Events that open the status line: the first text, reasoning, refusal, tool call or finish."""


class Cause(StrEnum):
    """Why no more bytes will come; the value is the failure code a client sees."""

    EOF = "upstream_truncated"
    RESET = "upstream_disconnected"
    FIRST_TIMEOUT = "timeout"
    IDLE = "idle_timeout"
    DEADLINE = "deadline_exceeded"
    SHUTDOWN = "server_shutting_down"
    CLIENT_GONE = "client_abort"
    CLIENT_SLOW = "client_slow"

    @property
    def message(self) -> str:
        """One sentence for the client."""
        return _MESSAGES[self]

    @property
    def status(self) -> int:
        """The status of an answer that ended so before its first content."""
        if self in (Cause.FIRST_TIMEOUT, Cause.IDLE, Cause.DEADLINE):
            return 504
        return 503 if self is Cause.SHUTDOWN else 502


_TRY_AGAIN = frozenset({Cause.EOF, Cause.RESET})
_MESSAGES = {
    Cause.EOF: "The upstream ended the stream before it was complete.",
    Cause.RESET: "The upstream closed the connection before the stream was complete.",
    Cause.FIRST_TIMEOUT: "Request timed out.",
    Cause.IDLE: "The upstream went silent in the middle of the stream.",
    Cause.DEADLINE: "The request took longer than its total time limit.",
    Cause.SHUTDOWN: "The gateway is shutting down.",
    Cause.CLIENT_GONE: "The client left.",
    Cause.CLIENT_SLOW: "The client stopped reading.",
}


class Answer:
    """What is known of one attempt's answer so far; the only judge of how it ended."""

    __slots__ = (
        "collected",
        "created",
        "deltas",
        "dialect",
        "ended",
        "expected",
        "failure",
        "finish",
        "finished",
        "is_translated",
        "model",
        "name",
        "refused",
        "reopened",
        "seen",
        "usage",
    )

    def __init__(self, expected: int = 1, *, dialect: str = "", collected: "Collected | None" = None) -> None:
        self.expected = expected
        """How many choices were asked for."""
        self.dialect = dialect
        """Whose answer it is: the upstream's dialect, which its signatures and native words belong to."""
        self.is_translated = False
        """The client's dialect may have no word for a finish that is a fault: then that is a failure."""
        self.collected = collected
        """What goes to the client, where that is a whole answer and not its upstream's own bytes."""
        self.name: str | None = None
        self.model: str | None = None
        self.created: int | None = None
        self.usage: Usage | None = None
        self.finish: dict[int, FinishReason] = {}
        self.finished: dict[int, Finish] = {}
        """By choice, as it was told."""
        self.reopened: frozenset[int] = frozenset()
        """Choices that went on behind their finish."""
        self.seen: set[int] = set()
        self.deltas = 0
        """Content frames seen; the base of an estimate when nobody reports usage."""
        self.ended = False
        self.failure: Failure | None = None
        self.refused = False
        """The failure is a stream transform's word, not the upstream's."""

    @property
    def complete(self) -> bool:
        """Whether what was seen is a proper end, whatever the connection does after."""
        return self.ended or (not self.reopened and self._has_finished)

    @property
    def _has_finished(self) -> bool:
        return len(self.finish) >= self.expected and self.seen <= self.finish.keys()

    def note(self, event: Event) -> None:
        """Take an event into account."""
        event.tell(self)

    def reopen(self, piece: "Text | Reasoning | Refusal | ToolCall") -> None:
        """A choice that had finished may go on, unless this is but a proof of what it said: it has to finish again."""
        said = piece.arguments or piece.name if isinstance(piece, ToolCall) else piece.text
        if said and piece.choice in self.finish:
            self.reopened |= {piece.choice}

    def verdict(self, cause: Cause) -> End | Failure:
        """How the answer ended; asked once, when no more bytes will come."""
        if self.failure is not None:
            return self.failure
        # An upstream that says something behind its finish, and then ends its message properly, has ended.
        if self.complete or (cause is Cause.EOF and self._has_finished):
            return End()
        return Failure(code=cause.value, message=cause.message, status=cause.status, retryable=cause in _TRY_AGAIN)
