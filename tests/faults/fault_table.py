"""The matrix: every fault of an upstream, and what has to come of it on every surface (rows of the design's table)."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from fault_dialects import Pieces
from fault_expected import ERROR, LEFT, OK, REFUSED, TIMED_OUT, TRUNCATED, Verdict, cut, fine, refused
from fault_surfaces import Shape

from gateway.testing import faults
from gateway.testing.upstream import Behaviour, reply, stream
from gateway.testing.upstream import Ending as Stop

KEY = 'Canary"Provider\\Key'
"""No pattern finds it, and JSON writes it otherwise than it is."""
HEADER = "canary-of-a-header"
STREAM_TYPE = "text/event-stream"
EMOJI = "\N{PARTY POPPER}\u20ac\u00e9"
HALF = "502 The upstream ended the stream before it was complete."
BIG = "502 The upstream sent an event that is too large."
BAD = "502 The upstream sent a malformed response."
KEY_WRONG = "Custom API Key is incorrect. Please fix it in your profile settings."

Play = Callable[[Pieces], "Behaviour | tuple[Behaviour, ...]"]
Asked = Literal["all", "chat", "stream", "whole"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to fail."""

    row: int
    verdict: Verdict
    play: Play | None = None
    base_url: str | None = None
    """Where the upstream is, if it is not the scripted one."""
    asked: Asked = "chat"
    """By whom: `chat` is all but embeddings, `stream` those who want streams, `whole` those who do not."""
    dialects: tuple[str, ...] = ()
    """Of the upstream; all when empty."""
    kept: bool = False
    """The upstream's connection may stay open for the next request."""
    leaves: Literal["", "leave", "half-close"] = ""
    """What the client does once the upstream has said all it says."""

    def concerns(self, shape: Shape) -> bool:
        """Whether that surface can meet it."""
        if self.dialects and shape.dialect not in self.dialects:
            return False
        if self.asked == "all":
            return True
        if self.asked == "whole":
            return not shape.streamed
        return shape.dialect != "plain" and (self.asked == "chat" or shape.streamed)

    def behaviours(self, pieces: Pieces) -> tuple[Behaviour, ...]:
        """What the upstream plays."""
        played = self.play(pieces) if self.play else ()
        return (played,) if isinstance(played, Behaviour) else played


def error(status: int, message: Any = "no", headers: Mapping[str, str] | None = None) -> Behaviour:
    """An error answer, in a form that every dialect understands."""
    return reply(status, json.dumps({"error": {"message": message}}).encode(), headers)


def plain(body: bytes, content_type: str = "application/json", status: int = 200) -> Behaviour:
    """An answer that is no stream."""
    return reply(status, body, {"content-type": content_type})


def said(*writes: bytes, **more: Any) -> Behaviour:
    """An event stream; a moment between two writes, so that each is a read of its own."""
    return stream(*writes, **{"pause": 0.005, **more})


def well(p: Pieces) -> Behaviour:
    """A whole stream, nothing wrong with it."""
    return said(p.text, p.stop, p.done) if p.done else said(p.text, p.stop)


def _connections() -> dict[str, Fault]:
    """Rows 1 to 6: nobody answers."""
    unreachable = refused(500, REFUSED, 502, "upstream_unreachable", tries=3)
    # Nothing was dialled, and nothing would be a moment later: not tried again.
    denied = refused(500, REFUSED, 502, "upstream_unreachable")
    unanswered = refused(500, REFUSED, 504, "timeout")
    tls = refused(500, REFUSED, 502, "upstream_tls")
    late = refused(500, TIMED_OUT, 504, "timeout")
    return {
        "connection refused": Fault(row=1, base_url="http://127.0.0.1:{closed}", asked="all", verdict=unreachable),
        "guard refuses": Fault(row=1, base_url="http://169.254.169.254/v1", asked="all", verdict=denied),
        "no such host": Fault(row=2, base_url="http://nowhere.test/v1", asked="all", verdict=denied),
        "name server hangs": Fault(row=3, base_url="http://hang.test/v1", asked="all", verdict=unanswered),
        "connect blackhole": Fault(row=4, base_url="http://127.0.0.1:{full}/v1", asked="all", verdict=unanswered),
        **{
            what: Fault(row=5, base_url=f"https://127.0.0.1:{{{port}}}/v1", asked="all", verdict=tls)
            for what, port in {
                "plain HTTP behind https": "no_tls",
                "certificate self-signed": "self_signed",
                "certificate expired": "expired",
                "certificate of another": "wrong_name",
            }.items()
        },
        "certificate trusted": Fault(
            row=5,
            base_url="https://127.0.0.1:{trusted}/v1",
            asked="all",
            verdict=refused(400, None, 400, "upstream_error"),
        ),
        "no head in time": Fault(row=6, play=lambda _: faults.stall_before_head(), asked="all", verdict=late),
        "no event in time": Fault(row=6, play=lambda _: faults.stall_before_first_event(), verdict=late),
        "comments do not extend": Fault(row=6, play=lambda _: stream(*[b": ping\n\n"] * 200, pause=0.1), verdict=late),
    }


def _statuses() -> dict[str, Fault]:
    """Rows 7 to 11: the upstream refuses."""

    def fault(row: int, verdict: Verdict, *behaviours: Behaviour) -> Fault:
        return Fault(row=row, play=lambda _: behaviours, asked="all", kept=True, verdict=verdict)

    def status(code: int, *, tries: int = 1) -> Verdict:
        return refused(code, f"{code} no", 502 if 520 <= code != 529 else code, "upstream_error", tries=tries)

    def upstream(code: int, message: str | None, **more: Any) -> Verdict:
        return refused(code, message, code, "upstream_error", **more)

    def denied(code: int, message: str) -> Verdict:
        return refused(code, message, 502, "upstream_authentication_error")

    def then_well(first: Behaviour) -> Fault:
        verdict = fine(outcomes=(ERROR, OK))
        return Fault(row=8, play=lambda p: (first, well(p)), kept=True, verdict=verdict)

    long = {"retry-after": "60"}
    redirect = {"location": "http://{canary}", "content-length": "0"}
    return {
        "429": fault(7, upstream(429, "429 slow", tries=3), error(429, "slow")),
        "429 for long": fault(7, upstream(429, "429 slow", retry_after=60), error(429, "slow", long)),
        "429, then well": then_well(error(429, "slow", {"retry-after": "0"})),
        "503, then well": then_well(error(503)),
        **{f"{code}": fault(8, status(code, tries=3), error(code)) for code in (500, 502, 503, 504, 520, 529, 599)},
        "401": fault(9, denied(401, KEY_WRONG), error(401, f"Incorrect API key provided: {KEY}")),
        "403 quotes the key": fault(
            9, denied(403, "403 who is *** and ***?"), error(403, f"who is {KEY} and {HEADER}?")
        ),
        "403 quotes the key in raw text": fault(
            9, denied(403, "403 no ***"), plain(f"no {KEY}".encode(), "text/plain", 403)
        ),
        **{f"{code}": fault(10, status(code), error(code)) for code in (400, 404, 405, 413, 422, 451)},
        "400 quotes a key": fault(10, upstream(400, "400 bad sk-***"), error(400, "bad sk-abcdefgh12345678")),
        **{
            f"{code} redirect": fault(11, refused(500, REFUSED, 502, "upstream_redirect"), reply(code, b"", redirect))
            for code in (301, 302, 303, 307, 308)
        },
    }


def _no_streams() -> dict[str, Fault]:
    """Row 12: status 200, and no stream."""
    whole = fine("partial")
    busy = b'{"error":{"message":"busy","code":404}}'

    def fault(play: Play, verdict: Verdict, asked: Asked = "chat") -> Fault:
        return Fault(row=12, play=play, asked=asked, kept=True, verdict=verdict)

    return {
        "200, error JSON with a status": fault(
            lambda _: plain(busy),
            # Anthropic's errors have no such field: there it is an error like any other.
            refused(404, "404 busy", 404, "404").but(messages=refused(502, None, 502, None, tries=3)),
            "all",
        ),
        "200, error JSON": fault(
            lambda _: plain(b'{"error":{"message":"busy"}}'),
            refused(502, "502 busy", 502, "upstream_error", tries=3),
            "all",
        ),
        "200, HTML": fault(
            lambda _: plain(b"<html>Hello</html>", "text/html"),
            refused(502, None, 502, "upstream_protocol", tries=3),
            "all",
        ),
        "200, whole answer": fault(lambda p: plain(p.whole), whole),
        "200, whole answer called a stream": fault(lambda p: plain(p.whole, STREAM_TYPE), whole),
        "200, stream called JSON": fault(lambda p: plain(p.all()), whole),
        "200, whole answer cut": Fault(
            row=15,
            play=lambda p: Behaviour(
                headers=(("content-type", "application/json"),),
                writes=(p.whole[:-9],),
                chunked=True,
                ending=Stop.CLOSE,
            ),
            asked="whole",
            verdict=refused(502, None, 502, "upstream_disconnected", tries=3, outcome=TRUNCATED),
        ),
        "200, whole answer incomplete": fault(
            lambda p: plain(p.whole[:-9]), refused(502, None, 502, "upstream_protocol", tries=3), "whole"
        ),
    }


def _events() -> dict[str, Fault]:
    """Rows 13 and 14, 16 and 17: what comes says that something is wrong, or is wrong itself."""
    protocol = cut("upstream_protocol", outcome=ERROR)
    statuses = {"messages": 529, "responses": 500}
    full = refused(503, "503 full", 503, None, tries=3).but(
        **{dialect: refused(status, None, status, None, tries=3) for dialect, status in statuses.items()}
    )
    later = cut(None, outcome=ERROR, whole=full).but(
        **{dialect: cut(None, outcome=ERROR, whole=verdict) for dialect, verdict in full.named}
    )
    return {
        "error event first": Fault(row=13, play=lambda p: said(p.error), kept=True, verdict=full),
        "error event first, then well": Fault(
            row=13, play=lambda p: (said(p.error), well(p)), kept=True, verdict=fine(outcomes=(ERROR, OK))
        ),
        "error event later": Fault(row=14, play=lambda p: said(p.text, p.error, p.done), kept=True, verdict=later),
        "named error event": Fault(
            row=14,
            play=lambda p: said(p.text, b"event: error\n" + p.error, p.more, p.stop, p.done),
            dialects=("chat", "completions"),
            kept=True,
            verdict=later.with_custom(fine("partial")),
        ),
        "malformed event first": Fault(
            row=16,
            play=lambda p: said(p.saying(b'"}}}')),
            kept=True,
            verdict=refused(502, None, 502, "upstream_protocol", tries=3),
        ),
        "malformed event later": Fault(
            row=16, play=lambda p: said(p.text, p.saying(b'"}}}'), p.stop, p.done), kept=True, verdict=protocol
        ),
        "event that is no object": Fault(
            row=16, play=lambda p: said(p.text, b"data: 7\n\n", p.stop, p.done), kept=True, verdict=protocol
        ),
        "invalid UTF-8": Fault(
            row=17,
            play=lambda p: said(p.text, p.saying(b"i\xffl"), p.stop, p.done),
            kept=True,
            verdict=protocol.with_custom(fine("parti\ufffdl")),
        ),
        "lone surrogate": Fault(
            row=17,
            play=lambda p: said(p.text, p.saying(b"\\ud83d"), p.stop, p.done),
            kept=True,
            verdict=fine("part\ufffd"),
        ),
    }


def _framing() -> dict[str, Fault]:
    """Rows 18 to 21: what comes is right, however it comes; or too much, or packed."""
    whole = fine("partial")

    def fault(row: int, play: Play, verdict: Verdict = whole) -> Fault:
        return Fault(row=row, play=play, kept=True, verdict=verdict)

    def bytewise(p: Pieces) -> Behaviour:
        event = p.saying(EMOJI.encode())
        return stream(p.text, *(bytes((byte,)) for byte in event), p.stop, p.done or b": \n\n", pause=0.0)

    def broken_lines(p: Pieces) -> Behaviour:
        return said(p.text, p.more.replace(b'"ial"', b'\ndata: "ial"'), p.stop, p.done or b": \n\n")

    def fields(p: Pieces) -> Behaviour:
        bare = p.text.replace(b"data: ", b"data:")
        return said(b"\xef\xbb\xbf: hi\n\nid: 1\nretry: 5\n" + bare, p.more, p.stop, p.done or b": \n\n")

    zipped = Behaviour(
        headers=(("content-type", STREAM_TYPE), ("content-encoding", "gzip")),
        writes=(b"\x1f\x8b" + bytes(1000),),
        chunked=True,
        ending=Stop.HOLD,
    )
    endless = [b"data: ", *[b"x" * 65536] * 32]
    return {
        "one byte a read": fault(18, bytewise, fine("part" + EMOJI)),
        **{
            f"lines end with {name}": fault(19, lambda p, end=end: said(p.all().replace(b"\n", end)))
            for name, end in {"CRLF": b"\r\n", "CR": b"\r", "LF": b"\n"}.items()
        },
        "BOM, comments, other fields": fault(19, fields),
        "data of several lines": fault(19, broken_lines),
        "large event": fault(
            20,
            lambda p: said(p.text, p.saying(b"x" * 262144), p.stop, p.done or b": \n\n"),
            fine("part" + "x" * 262144),
        ),
        "endless line first": Fault(
            row=20,
            play=lambda _: stream(*endless, pause=0.0, ending=Stop.HOLD),
            verdict=refused(502, BIG, 502, "event_too_large", tries=3),
        ),
        "endless line later": Fault(
            row=20,
            play=lambda p: stream(p.text, *endless, pause=0.0, ending=Stop.HOLD),
            verdict=cut("event_too_large", outcome=ERROR),
        ),
        "compressed": Fault(
            row=21,
            play=lambda _: zipped,
            asked="all",
            verdict=refused(502, BAD, 502, "upstream_protocol", tries=3),
        ),
    }


def _endings() -> dict[str, Fault]:
    """Rows 15 and 22 to 25: how the connection ends, and when it does not."""
    lost, nothing = cut("upstream_disconnected"), refused(500, REFUSED, 502, "upstream_disconnected", tries=3)
    half = refused(502, HALF, 502, "upstream_truncated", tries=3, outcome=TRUNCATED)
    short = (("content-type", STREAM_TYPE), ("content-length", "99999"))

    def broken(ending: Stop) -> Fault:
        return Fault(row=15, play=lambda p: said(p.text, ending=ending), verdict=lost)

    def finished(ending: Stop, *, kept: bool = False) -> Fault:
        return Fault(row=22, play=lambda p: said(p.text, p.stop, ending=ending), kept=kept, verdict=fine())

    return {
        "reset before the head": Fault(row=15, play=lambda _: faults.reset_before_head(), asked="all", verdict=nothing),
        "no HTTP": Fault(
            row=15,
            play=lambda _: Behaviour(status=None, writes=(b"nonsense\r\n\r\n",)),
            asked="all",
            verdict=nothing,
        ),
        "reset": broken(Stop.RESET),
        "close": broken(Stop.CLOSE),
        "close in a chunk": broken(Stop.MID_CHUNK),
        "close before the length": Fault(
            row=15,
            play=lambda p: Behaviour(headers=short, writes=(p.text,), ending=Stop.CLOSE),
            verdict=lost,
        ),
        "reset after the finish": finished(Stop.RESET),
        "close after the finish": finished(Stop.CLOSE),
        "end after the finish": finished(Stop.COMPLETE, kept=True),
        "end without a finish": Fault(
            row=23, play=lambda p: said(p.text), kept=True, verdict=cut("upstream_truncated")
        ),
        "empty stream": Fault(row=23, play=lambda _: said(b": hi\n\n"), kept=True, verdict=half),
        "204": Fault(row=23, play=lambda _: reply(204), kept=True, verdict=half),
        "held after the end": Fault(
            row=24, play=lambda p: said(p.text, p.stop + p.done, ending=Stop.HOLD), verdict=fine()
        ),
        "silence": Fault(
            row=25,
            play=lambda p: said(p.text, ending=Stop.HOLD),
            # A whole answer has no content before its end: what it may take is the time to the first content.
            verdict=cut("idle_timeout", outcome=ERROR, whole=refused(504, None, 504, "timeout")),
        ),
    }


def _leaving() -> dict[str, Fault]:
    """Rows 27 and 28: the client goes, in every phase."""
    phases: Mapping[str, tuple[Asked, Play]] = {
        "before the head": ("all", lambda _: faults.stall_before_head()),
        "before the first event": ("chat", lambda _: faults.stall_before_first_event()),
        "in the middle": ("chat", lambda p: said(p.text, p.more, ending=Stop.HOLD)),
    }
    return {
        f"client {verb} {phase}": Fault(row=row, play=play, asked=asked, leaves=how, verdict=fine(outcomes=(LEFT,)))
        for row, verb, how in ((27, "leaves", "leave"), (28, "half-closes", "half-close"))
        for phase, (asked, play) in phases.items()
    }


FAULTS: Mapping[str, Fault] = {
    **_connections(),
    **_statuses(),
    **_no_streams(),
    **_events(),
    **_framing(),
    **_endings(),
    **_leaving(),
}
