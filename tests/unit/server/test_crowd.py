"""A request that is taken for whole without the parser is one that the parser would have taken for whole, too."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.server.crowd import BODY_LIMIT, plain_target

USUAL = ["Host: a", "content-length: 2"]
LENGTHS = (": 2", ":2", ": 02", " : 2", ": 3", ": -2", ": ", ": 2, 2", ": 2 ")
CONNECTIONS = (": keep-alive", ": close", ":close", ": keep-alive, close")
ODD = [f"Content-Length{rest}" for rest in LENGTHS] + [f"connection{rest}" for rest in CONNECTIONS]
ODD += ["Transfer-Encoding: chunked", "transfer-encoding:chunked", "Expect: 100-continue", "Upgrade: h2c", "Host: b"]
ODD += ["X-Content-Length: 2", "Cookie: a;\tb", " folded: 2", "X: \x80", "", "X: \rContent-Length: 9"]
HEADERS = st.sampled_from(USUAL * 9 + ODD)
ENDS = st.sampled_from(["\r\n"] * 30 + ["\n", "\r", "\r\n\r\n"])
LINE = "POST /v1 HTTP/1.1"
LINES = ["POST /v1?a=b HTTP/1.1", "GET /v1 HTTP/1.1", "POST /v1 HTTP/1.0", "POST  /v1 HTTP/1.1", "POST a:80 HTTP/1.1"]


class Whole:
    """Takes a request apart the long way."""

    def __init__(self, read: bytes) -> None:
        self.target, self.body, self.messages, self.headers = b"", b"", 0, []
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(read)

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages += 1


def request(*headers: str, line: str = LINE, body: bytes = b"{}") -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def test_what_a_client_sends_is_taken_for_whole() -> None:
    sent = request("Host: a:80", "Accept: */*", "Connection: keep-alive", "User-Agent: a (b; c)", "content-length: 2")
    assert plain_target(sent) == "/v1"


@given(
    st.sampled_from([LINE] * 9 + LINES),
    st.lists(st.tuples(HEADERS, ENDS), max_size=5),
    st.sampled_from([b"{}", b"{}", b"{}", b"{", b"{}G", b""]),
)
def test_what_is_taken_for_whole_is(line: str, headers: list[tuple[str, str]], body: bytes) -> None:
    read = f"{line}\r\n{''.join(header + end for header, end in headers)}\r\n".encode("latin-1") + body
    if (target := plain_target(read)) is None:
        return
    whole = Whole(read)
    names = [name for name, _ in whole.headers]
    assert (whole.messages, whole.target.decode(), whole.body) == (1, target, body)
    assert whole.parser.should_keep_alive()
    assert not {b"transfer-encoding", b"expect", b"upgrade"} & set(names)
    assert names.count(b"content-length") == 1
    assert b"host" in names


@pytest.mark.parametrize(
    "read",
    [
        request("Host: a", "Content-Length: 3"),
        request("Host: a", "Content-Length: 1"),
        request("Host: a", "Content-Length: 2", body=b"{}" + request("Host: a", "Content-Length: 0", body=b"")),
        request("Host: a"),
        request("Content-Length: 2"),
        request("Host: a", "Content-Length: 2", "Content-Length: 2"),
        request("Host: a", "Content-Length: 2", "Transfer-Encoding: chunked"),
        request("Host: a", "Content-Length: 2", "Connection: close"),
        request("Host: a", "Content-Length: 2", "Expect: 100-continue"),
        request("Host: a", "Content-Length: 2", line="GET /v1 HTTP/1.1"),
        request("Host: a", "Content-Length: 2", line="POST /v1 HTTP/1.0"),
        request("Host: a", "Content-Length: 2").replace(b"\r\n", b"\n"),
        request("Host: a", f"Content-Length: {BODY_LIMIT + 1}", body=b"x" * (BODY_LIMIT + 1)),
        b"",
        b"{}",
    ],
)
def test_everything_else_is_left_to_the_parser(read: bytes) -> None:
    assert plain_target(read) is None
