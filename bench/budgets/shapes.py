"""The exchanges that are counted: what the client asks, and what the upstream answers, event by event."""

from collections.abc import Callable, Sequence

import msgspec

from bench.target import Ask

_CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_META = (
    b'"id":"chatcmpl-BenchBenchBenchBenchBench0001","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"counted","service_tier":"default","system_fingerprint":"fp_0123456789","choices":'
)
_USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":100,"total_tokens":109}'
_MORE = 10
"""Reads that a long stream brings on top: counts are exact, so few are enough."""
MODEL = "counted"
FOREIGN = "counted-messages"
"""The model whose upstream speaks the messages dialect."""


class Dialect(msgspec.Struct, frozen=True):
    """How an upstream says a stream of text."""

    opening: bytes
    """The events before the first piece of text,"""
    piece: Callable[[int], bytes]
    """one piece,"""
    closing: bytes
    """and those behind the last."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of exchange."""

    name: str
    title: str
    surface: str
    dialect: Dialect | None = None
    """None is a short answer that is no stream."""
    model: str = MODEL
    together: int = 1
    """So many pieces come in one read."""

    @property
    def ask(self) -> Ask:
        """What the client asks."""
        return Ask(self.model, self.dialect is not None)

    @property
    def lengths(self) -> tuple[int, int]:
        """Pieces of the short and of the long stream: their difference is what a piece costs."""
        return (2 * self.together, (2 + _MORE) * self.together) if self.dialect else (1, 1)

    def writes(self, length: int) -> Sequence[bytes]:
        """What the upstream writes: the next piece only when the client has heard of the last one."""
        if self.dialect is None:
            return [_COMPLETION]
        said = self.dialect
        pieces = [_chunk(said.piece(number)) for number in range(length)]
        writes = [b"".join(pieces[at : at + self.together]) for at in range(0, length, self.together)]
        return [_CHUNKED + _chunk(said.opening) + writes[0], *writes[1:], _chunk(said.closing) + b"0\r\n\r\n"]


def text(number: int) -> str:
    """The text of a piece; a token of the usual length, and no two alike."""
    return f"#{number:05d} "


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _chat(choices: bytes, more: bytes = b"") -> bytes:
    return b"data: {" + _META + choices + more + b"}\n\n"


def _chat_piece(number: int) -> bytes:
    choice = b'[{"index":0,"delta":{"content":"%b"},"logprobs":null,"finish_reason":null}]' % text(number).encode()
    return _chat(choice, b',"obfuscation":"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs"')


def _event(name: bytes, fields: bytes) -> bytes:
    return b'event: %b\ndata: {"type":"%b",%b}\n\n' % (name, name, fields)


def _messages_piece(number: int) -> bytes:
    delta = b'"index":0,"delta":{"type":"text_delta","text":"%b"}' % text(number).encode()
    return _event(b"content_block_delta", delta)


_COMPLETION_BODY = (
    b'{"id":"chatcmpl-BenchBenchBenchBenchBench0001","object":"chat.completion","created":1700000000,"model":"counted",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"#00000 ","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],' + _USAGE + b',"service_tier":"default","system_fingerprint":"fp_0123456789"}'
)
_COMPLETION = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_COMPLETION_BODY)
    + _COMPLETION_BODY
)
CHAT = Dialect(
    opening=_chat(b'[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]'),
    piece=_chat_piece,
    closing=_chat(b'[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]')
    + _chat(b"[],", _USAGE)
    + b"data: [DONE]\n\n",
)
MESSAGES = Dialect(
    opening=_event(
        b"message_start",
        b'"message":{"id":"msg_01BenchBenchBenchBench","type":"message","role":"assistant","model":"counted",'
        b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}',
    )
    + _event(b"content_block_start", b'"index":0,"content_block":{"type":"text","text":""}'),
    piece=_messages_piece,
    closing=_event(b"content_block_stop", b'"index":0')
    + _event(
        b"message_delta",
        b'"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":100}',
    )
    + _event(b"message_stop", b'"index":0'),
)
SHAPES: Sequence[Shape] = (
    Shape(name="json", title="A short answer, exact", surface="chat"),
    Shape(name="stream", title="A stream, exact, one chunk a read", surface="chat", dialect=CHAT),
    Shape(name="burst", title="A stream, exact, twenty chunks a read", surface="chat", dialect=CHAT, together=20),
    Shape(name="custom", title="A stream on the custom route, its text", surface="custom", dialect=CHAT),
    Shape(
        name="translated",
        title="A stream, messages to chat",
        surface="chat",
        dialect=MESSAGES,
        model=FOREIGN,
    ),
)
