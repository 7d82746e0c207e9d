"""One client connection: uvicorn's httptools protocol with limits, strictness and a way to cut a response."""

import asyncio
from enum import Enum, auto
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.api.refusal import Refusal, refusal
from gateway.pipeline.pump import SLOW_CLIENT
from gateway.server.crowd import BODY_LIMIT, OPEN, Entrance, plain_target, turned_away, written
from gateway.server.cycle import Cycle
from gateway.server.head import RequestRefusedError, Target, fields_of, head_size, is_host, target_of, without_upgrade
from gateway.server.unread import Unread

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's target and headers."""
HEADERS = 256
"""Headers of a request."""
AROUND = 8
"""Bytes that may stand around each byte of a chunked body: a chunk's size, and its line ends."""
BODY_RATE = 1024
"""Bytes a body must bring per second on average over a window, unless we are the ones not reading."""
WAITING = 8
"""Requests that may have come behind one that is still being answered."""
CLOSE = (b"connection", b"close")
"""Among the headers of every answer, when none may be followed by another one."""


class _Phase(Enum):
    NEW = auto()
    HEAD = auto()
    BODY = auto()
    """Also between requests: then the body is complete."""


class HttpProtocol(HttpToolsProtocol):
    """Serves one connection.

    Every request's scope carries `extensions["litestar_gateway"]`: call its `"cut"` to end a response that cannot be
    completed; what was already written is delivered, the final chunk never comes. Its `"line"` writes the response
    without messages, see `gateway.pipeline.outlet.Line`.
    """

    window = 9.0
    """Seconds within which a head must be complete, and a body bring its share."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._phase = _Phase.NEW
        self._running: Cycle | None = None
        # A client asks the same of us again and again: what the last request's were is not looked at twice.
        self._target = Target(b"", "", b"", b"")
        self._host: bytes | None = None
        self._upgrading = False
        self._refused = False
        self._turned_away: bytes | None = None
        self._entrance: Entrance = getattr(self.app, "entrance", OPEN)
        self._read = self._first_read = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._around = 0
        self._began = False
        self._unread = Unread(self.transport)
        self._window_start = self._idle_since = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._wait(self.window)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self._running is not None:
            # uvicorn tells the newest request, and that one may only be waiting.
            self._running.leave()
        if self._watch is not None:
            self._watch.cancel()

    # -- bytes in -----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what it refuses is refused here, in our words."""
        if self._refused or (self._entrance.is_full() and self._turn_away_at_once(data)):
            return
        rest: bytes | memoryview = data
        while rest and not self._refused:
            self._began = False
            self._read = len(rest)
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                self._begin_without_upgrade()
                rest = memoryview(rest)[upgrade.args[0] :]  # a read may hold thousands of them
                continue
            except httptools.HttpParserError as error:
                if self.transport.is_closing():
                    return  # a callback of the parser has given the last answer
                cause = error.__context__
                status, message = (
                    cause.args if isinstance(cause, RequestRefusedError) else (400, "This is no HTTP request.")
                )
                self._refuse(status, message)
            else:
                if not self._began:  # a read in which a request begins may hold all of others
                    self._count(self._read)
            return

    def _count(self, read: int) -> None:
        """Bound what the parser collects, and what it passes over, before it is done with it."""
        if self._phase is _Phase.HEAD:
            self._head_bytes += read
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(431, "The request's headers are too large.")
        elif self._phase is _Phase.BODY and self._is_coming:
            self._around = max(0, self._around + read)
            if self._around > HEAD_LIMIT:
                self._refuse(431, "The request has too much around its body: extensions of chunks, or trailers.")

    @property
    def _is_coming(self) -> bool:
        """Some of a request's body is still to come."""
        return self._turned_away is not None or (self._running is not None and self.cycle.more_body)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self.url = b""
        self.headers = []
        self._began = True
        self._phase = _Phase.HEAD
        self._upgrading = False
        self._head_bytes = 0
        self._first_read = self._read
        self._window_start = self.loop.time()
        if self._watch is None or self._due > self._window_start + self.window:
            self._wait(self.window)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; never a trailer, which comes behind the body and would pass for one of the request's headers."""
        if self._phase is not _Phase.BODY:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the head, then let the application have the request."""
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        self._check_head(method, version)
        if parser.should_upgrade():
            self._upgrading = True
            return
        self._phase = _Phase.BODY
        self._body_bytes = self._around = 0
        target = self._target
        if target.url != self.url:
            target = self._target = target_of(self.url, self.root_path)
        is_idle = self._is_idle
        admitted: Refusal | bool = False
        if is_idle and method == b"POST" and not self.expect_100_continue:
            admitted = self._entrance.admit(target.path)
            if isinstance(admitted, Refusal):
                self._turned_away = turned_away(admitted)
                return
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method.decode("ascii"),
            "root_path": self.root_path,
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        self.cycle = cycle = Cycle(self, scope, keep_alive=version != "1.0" and parser.should_keep_alive())
        own: dict[object, object] = {"cut": partial(self._cut, cycle), "line": cycle}
        scope["extensions"] = {"litestar_gateway": own}
        if method == b"HEAD":
            del own["line"]  # it would write the body
        if is_idle:
            self._running = cycle
            own["expected"] = admitted
            self._start_asgi_task(cycle, self.app)
            return
        if len(self.pipeline) >= WAITING:
            raise RequestRefusedError(400, "Too many requests at once on one connection.")
        self.pipeline.appendleft((cycle, self.app))  # and read on, to see that the client leaves

    def on_body(self, body: bytes) -> None:
        """Some of a request's body."""
        size = len(body)
        self._body_bytes += size
        self._around -= (1 + AROUND) * size
        if self._refused:
            return
        if self._turned_away is not None:
            if self._body_bytes > BODY_LIMIT:
                self._turn_away(self._turned_away, keep=False)
                raise RequestRefusedError  # and nothing behind it is looked at
            return
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()
        if self.flow.read_paused and cycle is not self._running:
            raise RequestRefusedError(413, "The body is too large for a request that waits behind another.")

    def on_message_complete(self) -> None:
        """A request is complete; the next one may begin at any time."""
        if self._turned_away is not None:
            keep = self.parser.should_keep_alive() and CLOSE not in self.server_state.default_headers
            keep = keep and not self.flow.write_paused  # refusals that nobody reads would pile up
            self._turn_away(self._turned_away, keep=keep)
            if not keep:
                raise RequestRefusedError
        elif not self._upgrading and not self._refused and not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer is out: the request that waits behind it begins, or the client has some time for its next one."""
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if self.transport.is_closing():
            self._see_it_taken()
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            assert isinstance(cycle, Cycle)
            self._running = cycle
            self._start_asgi_task(cycle, app)
            return
        if self._watch is None or self._due > self._idle_since + self.timeout_keep_alive:
            self._wait(min(self.window, self.timeout_keep_alive))

    def _check_head(self, method: bytes, version: str) -> None:
        headers = self.headers
        if len(headers) > HEADERS:
            raise RequestRefusedError(431, f"The request has more than {HEADERS} headers.")
        # It is no larger than the reads that brought it: the first one, those in between, and this one.
        if self._first_read + self._head_bytes + self._read > HEAD_LIMIT < head_size(self.url, headers):
            raise RequestRefusedError(431, "The request's headers are too large.")
        fields = fields_of(headers, method, version)
        host = fields.get(b"host")
        if host != self._host:
            if host is not None and not is_host(host):
                raise RequestRefusedError(400, "The Host header names no host.")
            self._host = host
        self.expect_100_continue = b"expect" in fields and fields[b"expect"].lower() == b"100-continue"

    def _begin_without_upgrade(self) -> None:
        """Begin the request as if it had not asked for another protocol; llhttp would drop its body."""
        head = without_upgrade(self.parser.get_method(), self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head)

    # -- overload -----------------------------------------------------------------------------------------------------

    @property
    def _is_idle(self) -> bool:
        """Nothing is being answered on this connection."""
        return self._running is None or self._running.response_complete

    def _turn_away_at_once(self, read: bytes) -> bool:
        """Turn a request away that came whole, without the parser; False where there is no such request."""
        state, is_between = self.server_state, self._rests or self._phase is _Phase.NEW
        if not is_between or CLOSE in state.default_headers or (target := plain_target(read)) is None:
            return False
        if self.flow.write_paused or (refused := self._entrance.refusal(target)) is None:
            return False
        self.transport.write(turned_away(refused))
        state.total_requests += 1
        self._phase = _Phase.BODY
        self._idle_since = self.loop.time()
        return True

    def _turn_away(self, answer: bytes, *, keep: bool) -> None:
        self._turned_away = None
        if keep:
            self.transport.write(answer)
            self.on_response_complete()
        else:
            self._refused = True
            self.transport.write(answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            self._close()

    # -- clients that are slow, or silent -----------------------------------------------------------------------------

    @property
    def _rests(self) -> bool:
        """The last request is over, and the next one has not begun."""
        over = self._running is None or not self.cycle.more_body
        return self._phase is _Phase.BODY and self._is_idle and self._turned_away is None and over

    def _wait(self, seconds: float) -> None:
        """Look after so long. One timer for all: a busy connection sets it once a window, not once a request."""
        if self._watch is not None:
            self._watch.cancel()
        self._due = self.loop.time() + seconds
        self._watch = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Does the client take what was written? Does it send what is to come?"""
        self._watch = None
        now = self.loop.time()
        is_over = self._is_idle or self.transport.is_closing()
        if not is_over and not self.flow.write_paused:
            self._unread.size = 0  # more is written all the time
        # An exchange gives its client up itself, and accounts for that: in its midst, and from its end on once more.
        elif self._unread.look(now, self._idle_since) >= (SLOW_CLIENT if is_over else 2 * SLOW_CLIENT):
            self.transport.abort()
            return
        if not self.transport.is_closing():
            self._look_for_requests(now)
        self._see_it_taken()

    def _look_for_requests(self, now: float) -> None:
        """Is a request still arriving, and fast enough? Is there none, and has not been for long?"""
        rests = self._rests
        left = (self._idle_since + self.timeout_keep_alive if rests else self._window_start + self.window) - now
        if left > 0.01:
            self._wait(min(left, self.window) if self._unread.size else left)
        elif rests or self._phase is _Phase.NEW:
            self.transport.close()
        elif self._phase is _Phase.HEAD:
            self._refuse(408, "The request did not arrive in time.")
        elif self._turned_away is not None:
            self._turn_away(self._turned_away, keep=False)  # it came too slowly for a connection that is kept
        elif self._running is not None and self.cycle.more_body:
            if self.cycle.response_complete:
                self._close()  # it is answered, and what still comes is read by nobody
                return
            # Our own pause is not the client's slowness.
            held = self.flow.read_paused or self.cycle.waiting_for_100_continue
            if not held and self._body_bytes < BODY_RATE * self.window:
                self._refuse(408, "The request's body did not arrive in time.")
                return
            self._body_bytes = 0
            self._window_start = now
            self._wait(self.window)

    def pause_writing(self) -> None:
        """So much waits for the client that it has to take some of it."""
        super().pause_writing()
        self._unread.size = 0
        self._see_it_taken()

    def _see_it_taken(self) -> None:
        """Look again while something waits for the client."""
        if self._watch is None and self.transport.get_write_buffer_size():
            self._wait(self.window)

    # -- ends ---------------------------------------------------------------------------------------------------------

    def answer_last(self) -> None:
        """Let the newest answer be the last on this connection; one that has begun cannot say so any more."""
        if self._running is not None and not self.cycle.response_started:  # uvicorn's `cycle` is the newest
            self.cycle.keep_alive = False

    def _refuse(self, status: int, message: str) -> None:
        """Answer for the application and close; never into the middle of an answer it is giving."""
        self._refused = True
        running = self._running
        if running is not None and running is self.cycle and running.response_complete and running.more_body:
            self._close()  # its answer was given: a second one would pass for the next request's
            return
        if running is not None and not running.response_complete:
            if running is not self.cycle or not running.more_body:
                running.keep_alive = False  # what is refused came after a complete request: that is still answered
                self.flow.resume_reading()
                return
            running.leave()
        if running is None or running.response_complete or not running.response_started:
            path = self.url.decode("ascii", "replace").partition("?")[0]
            self.transport.write(written(refusal(path, status, message), ("connection", "close")))
        self._close()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's own refusals, in our words."""
        self._refuse(400, msg)

    def _cut(self, cycle: Cycle) -> None:
        if not cycle.response_complete:
            cycle.flush()
            cycle.disconnected = True  # so that uvicorn does not report an incomplete response as an error
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._see_it_taken()
