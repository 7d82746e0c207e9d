"""What goes out is exactly one well-formed request, or nothing at all."""

import pytest

from gateway.errors import InvalidUpstreamUrl, UpstreamBroken, UpstreamRedirect, UpstreamReset, UpstreamUnreachable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def sent(serve, answer, client, method="POST", path="/", **options) -> bytes:
    """The bytes a request puts on the wire."""
    async with serve(answer(OK)) as upstream:
        response = await client.send(method, f"http://127.0.0.1:{upstream.port}{path}", **options)
        assert await response.read(10) == b"hi"
        return upstream.visits[0].requests[0].replace(b"%d" % upstream.port, b"PORT")


async def test_a_request_is_its_head_and_its_body(serve, answer, client) -> None:
    headers = [("Authorization", "Bearer"), ("content-type", "application/json"), ("x-l", "caf\xe9\t!")]
    assert await sent(serve, answer, client, headers=headers, body=b"{}") == (
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nAuthorization: Bearer\r\ncontent-type: application/json\r\n"
        b"x-l: caf\xe9\t!\r\naccept-encoding: identity\r\ncontent-length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize(("method", "has_length"), [("GET", False), ("DELETE", False), ("POST", True), ("PUT", True)])
async def test_an_empty_body_has_a_length_where_one_is_expected(serve, answer, client, method, has_length) -> None:
    assert (b"content-length: 0" in await sent(serve, answer, client, method)) is has_length


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", b"/"),
        ("/a/../b", b"/b"),
        ("/a b?q=caf\xe9&r=%2F#fragment", b"/a%20b?q=caf%C3%A9&r=%2F"),
        ("/%0d%0ax: y", b"/%0d%0ax:%20y"),
        ("/a\r\n\tb", b"/ab"),
        ("\\x", b"/x"),
    ],
)
async def test_the_target_is_what_a_browser_would_send(serve, answer, client, path, target) -> None:
    assert (await sent(serve, answer, client, path=path)).split(b" ")[1] == target


async def test_headers_of_the_connection_are_our_own(serve, answer, client) -> None:
    own = ("Host", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Upgrade", "Accept-Encoding", "Expect")
    own += ("Keep-Alive", "Trailer", "Proxy-Authorization", "Proxy-Connection")
    request = await sent(serve, answer, client, headers=[(name, "canary") for name in own], body=b"x")
    assert b"canary" not in request
    assert request.count(b"\r\n") == 5


@pytest.mark.parametrize(
    "header",
    [
        ("x", "a\r\nevil: 1"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0"),
        ("x", "\x7f"),
        ("x", "\x1b"),
        ("x", "\u0100"),
        ("x", "\u010d\u010a"),
        ("x", "\ud800"),
        ("", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("x\r\nevil", "a"),
        ("caf\xe9", "a"),
        ("host\0", "a"),
        ("connection", "a\r\nevil: 1"),
    ],
)
async def test_a_header_that_no_request_can_hold_sends_nothing(serve, answer, client, header) -> None:
    async with serve(answer(OK)) as upstream:
        with pytest.raises(UpstreamUnreachable) as caught:
            await client.send("POST", upstream.url, headers=[("a", "b"), header])
        assert caught.value.message == "Connection error."
        assert header[1] not in caught.value.detail or len(header[1]) < 2
        assert upstream.visits == []


@pytest.mark.parametrize("method", ["", "GET /x HTTP/1.1\r\nhost: y\r\n\r\n", "G T", "G\0T", "G\xcfT"])
async def test_a_method_that_is_no_token_sends_nothing(serve, answer, client, method) -> None:
    async with serve(answer(OK)) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await client.send(method, upstream.url)
        assert upstream.visits == []


@pytest.mark.parametrize(
    "url", ["", "nonsense", "/v1", "http://", "http://[::1", "http://a b/", "http://x:99999/", "http://\ud800/"]
)
async def test_what_is_no_url_is_invalid(client, url) -> None:
    with pytest.raises(InvalidUpstreamUrl) as caught:
        await client.send("GET", url)
    assert caught.value.message == "Invalid URL"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "file:///etc/hosts",
        "unix:/run/docker.sock",
        "http+unix://%2Frun%2Fdocker.sock/",
        "data:,x",
        "ws://127.0.0.1/",
        "javascript:0",
        "http://user@127.0.0.1/",
        "http://:pw@127.0.0.1/",
        "http://user:pw@127.0.0.1/",
    ],
)
async def test_other_schemes_and_user_information_are_unreachable(client, url) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        await client.send("GET", url)
    assert (type(caught.value), caught.value.message) == (UpstreamUnreachable, "Connection error.")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
async def test_a_redirect_is_an_error_and_its_connection_closed(serve, client, status) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 %d Elsewhere\r\nlocation: /there\r\ncontent-length: 9\r\n\r\n" % status)
        await visit.wait_gone()

    async with serve(script) as upstream:
        with pytest.raises(UpstreamRedirect) as caught:
            await client.send("GET", upstream.url)
        assert caught.value.message == "Connection error."
        assert client.idle_connections == int(status == 304)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"deflate", b"identity, gzip", b"GZIP", b"what"])
async def test_a_compressed_answer_is_refused(serve, answer, client, encoding) -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-encoding: " + encoding + b"\r\ncontent-length: 2\r\n\r\nhi"
    async with serve(answer(data)) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await client.send("GET", upstream.url)
        assert (caught.value.failure.code, caught.value.status) == ("upstream_protocol", 502)


async def test_an_answer_that_says_identity_is_taken(serve, answer, client) -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\nhi"
    async with serve(answer(data)) as upstream:
        assert await (await client.send("GET", upstream.url)).read(10) == b"hi"


@pytest.mark.parametrize(
    "data", [b"<html>\r\n\r\n", b"HTTP/1.1 099 Low\r\n\r\n", b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n"]
)
async def test_what_does_not_speak_http_has_not_answered(serve, answer, client, data) -> None:
    async with serve(answer(data)) as upstream:
        with pytest.raises(UpstreamReset) as caught:
            await client.send("GET", upstream.url)
        assert caught.value.message == "Connection error."


async def test_an_error_status_is_an_answer_as_any_other(serve, answer, client) -> None:
    async with serve(answer(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\ncontent-length: 2\r\n\r\nno")) as upstream:
        response = await client.send("GET", upstream.url)
        assert (response.status, dict(response.headers)["retry-after"], await response.read(9)) == (429, "7", b"no")
