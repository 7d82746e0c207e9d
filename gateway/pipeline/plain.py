"""Relays of answers that are no chat: nobody reads them, and the client still learns how they ended."""

from typing import ClassVar

from gateway.events import Answer, Cause, End, Failure, Frame
from gateway.pipeline.intake import Intake
from gateway.pipeline.lanes import ExactRelay, WholeRelay
from gateway.pipeline.names import Naming
from gateway.pipeline.observers import Observers
from gateway.pipeline.relay import Relay
from gateway.protocols import ByteUpstream, ClientDialect, Upstream
from gateway.requests import ChatRequest


def plain_relay(
    upstream: Upstream,
    dialect: ClientDialect,
    request: ChatRequest,
    *,
    observers: Observers | None,
    naming: Naming | None = None,
) -> Relay:
    """The relay of one attempt, by what the upstream says its answer is."""
    assert isinstance(upstream, ByteUpstream)
    spoken, head = upstream.dialect.name, dict(upstream.body.headers)
    writer, answer = dialect.writer(request, spoken), Answer(request.choices, dialect=spoken)
    content_type = head.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    relay: Relay
    if kind == "text/event-stream":
        intake = Intake(upstream.dialect, content_type=content_type, lenient=False)
        relay = StreamRelay(intake, writer, answer, observers=observers, withholds_usage=False, naming=naming)
        relay.headers = (("content-type", content_type), ("cache-control", "no-cache"))
        return relay
    if kind == "application/json" or kind.endswith("+json") or kind == "text/html":
        intake = Intake(upstream.dialect, content_type=content_type, lenient=False)
        relay = WholeRelay(intake, writer, answer, steps=None, observers=observers, same=True, naming=naming)
    else:
        relay = OpaqueRelay(None, writer, answer, observers=observers, lane="exact")
    relay.headers = (("content-type", content_type),) if content_type else ()
    return relay


class StreamRelay(ExactRelay):
    """Frames go out as they came; the first one opens the answer, whatever it says but an error."""

    __slots__ = ()

    def end(self, cause: Cause) -> bytes:
        """No more will come; a body that is no stream, though it says so, is none."""
        assert self._intake is not None
        if self.closed or not self._intake.body:
            return super().end(cause)
        said = self._rest(cause)
        wrong = Failure(
            code="upstream_protocol", message="The upstream's answer is no event stream, though it says so."
        )
        return self.take([said[-1] if said and isinstance(said[-1], Failure) else wrong])

    def _pass(self, frame: Frame) -> bytes:
        if self.closed:
            return b""
        assert self._intake is not None
        events = self._note(self._intake.reader.read(frame))
        if isinstance(events[-1], Failure):
            return self._write(events)
        if frame.data is not None:
            self.answer.deltas += 1
            self.open = True
        if self._observers is not None:
            self._observers.tell(events)
        return frame.raw if self._naming is None else self._naming.spliced(frame.raw, None)


class OpaqueRelay(Relay):
    """Bytes of any kind, such as sound, go out as they came; of a broken answer only a cut connection can tell."""

    __slots__ = ()

    ping: ClassVar[bytes] = b""

    def feed(self, data: bytes) -> bytes:
        """The bytes of one read."""
        if self.closed:
            return b""
        self.open = True
        return data

    def end(self, cause: Cause) -> bytes:
        """No more will come: a whole HTTP message is the only end there is."""
        if self.closed:
            return b""
        return self.take([End() if cause is Cause.EOF else self.answer.verdict(cause)])

    def _fail(self, out: bytes, failure: Failure) -> bytes:
        self.aborted = True
        return out
