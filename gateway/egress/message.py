"""One HTTP/1.1 response, from bytes: no I/O, no time."""

from operator import itemgetter
from typing import Final

import httptools

_CHUNKED: Final = "chunked"
_name_of: Final = itemgetter(0)


class Message:
    """Reads one response, interim ones before it included; whatever way its bytes are split, the result is the same.

    After each `feed`, look at `head`, `complete` and `error`. `error` says what breaks the protocol; both a length
    and a transfer coding, another coding than chunked, folded headers and bare line feeds are errors, too.
    """

    __slots__ = (
        "_head_only",
        "_limit",
        "_parser",
        "_pieces",
        "_quiet",
        "_size",
        "_until_close",
        "complete",
        "compressed",
        "error",
        "head",
        "headers",
        "on_body",
        "reusable",
        "started",
        "status",
    )

    def __init__(self, *, head_only: bool = False, limit: int = 65_536) -> None:
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # a chunk each: a method of Python would cost more than all else they do
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._limit = limit
        self._size = 0
        self._quiet = 0
        self._until_close = False
        self.started = False
        """Whether any byte arrived."""
        self.head = False
        """Whether status and headers are known."""
        self.complete = False
        self.error = ""
        self.reusable = False
        """Whether the connection may carry another message once this one is complete."""
        self.compressed = False
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    def feed(self, data: bytes | memoryview) -> bytes:
        """The body's bytes in `data`."""
        self.started = True
        pieces = self._pieces
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self.complete:
                self.reusable = False
            else:
                self.error = self.error or str(error)
        if not pieces:
            # Heads, chunk lines and trailers: none of them may grow for ever.
            self._quiet += len(data)
            if self._quiet > self._limit and not self.complete:
                self.error = self.error or "the head or the trailers are too large"
            return b""
        self._quiet = 0
        if len(pieces) == 1:
            return pieces.pop()
        body = b"".join(pieces)
        pieces.clear()
        return body

    def eof(self) -> None:
        """The connection was ended in order: completes a message that has no other end.

        Over TLS the event loop does not tell an end without close_notify from one with it.
        """
        if self._until_close and not self.error:
            self.complete = True

    def close(self) -> None:
        """Let the parser go: it and the message hold each other."""
        del self._parser

    # -- httptools calls these ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            raise ValueError("bytes behind the message: nobody asked for them")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value) + 4
        if self._size > self._limit:
            self._refuse("the head or the trailers are too large")
        if not self.head:
            # What leads is cut already.
            self.headers.append((name.lower().decode("latin-1"), value.rstrip(b" \t").decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        parser = self._parser
        status = parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.headers.clear()
            return
        if not 200 <= status < 600 or parser.get_http_version() not in ("1.1", "1.0"):
            self._refuse("the status line is not HTTP/1.1's")
        self.status = status
        self.reusable = bool(parser.should_keep_alive())
        self._read_framing()
        self.head = True
        if self._head_only:
            # httptools cannot be told that no body follows, so its reading, and this connection, end here.
            self.complete = True
            raise ValueError("nobody asked for a body")

    def on_message_complete(self) -> None:
        self.complete = self.head

    def _read_framing(self) -> None:
        names = list(map(_name_of, self.headers))
        codings = names.count("transfer-encoding")
        framings = names.count("content-length") + codings
        if codings or "content-encoding" in names:
            self._read_codings()
        if framings > 1:
            self._refuse("the body has more than one framing")
        self._until_close = not framings and self.status not in (204, 304)

    def _read_codings(self) -> None:
        for name, value in self.headers:
            if name == "transfer-encoding":
                if value.strip().lower() != _CHUNKED:
                    self._refuse("the transfer coding is not chunked")
            elif name == "content-encoding" and value.strip().lower() not in ("", "identity"):
                self.compressed = True

    def _refuse(self, why: str) -> None:
        self.error = why
        raise ValueError(why)
