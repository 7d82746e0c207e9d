"""TLS: right certificates work, all others fail alike, without telling why."""

import asyncio
import ssl
from typing import Any

import pytest

from gateway.egress import EgressClient, EgressPolicy, SystemResolver
from gateway.errors import UpstreamTlsError
from gateway.testing.authority import Authority


def tls(authority: Authority, label: str, *names: str, **options: Any) -> ssl.SSLContext:
    """A server's context that would rather speak HTTP/2."""
    context = authority.server(label, *names, **options)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def trusting(authority: Authority) -> EgressClient:
    """A client that trusts this authority; all names are this machine."""
    context = ssl.create_default_context(cafile=str(authority.path))
    resolver = SystemResolver(lambda host: ["127.0.0.1"])
    return EgressClient(EgressPolicy(allow=("127.0.0.1", "right.test")), resolver=resolver, ssl_context=context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def test_a_right_certificate_works_and_the_connection_is_reused(serve, answer, authority) -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000
    client = trusting(authority)
    async with serve(answer(data), tls=tls(authority, "right", "right.test")) as upstream:
        for name in ("right.test", "RIGHT.test.", "right.test"):
            body = await (await client.send("GET", f"https://{name}:{upstream.port}/")).read(1_000_000)
            assert body == b"x" * 200_000
        assert [len(visit.requests) for visit in upstream.visits] == [2, 1]
        await client.aclose()
        assert client.open_connections == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [("right.test", {"days": -1}), ("wrong.test", {}), ("right.test", {"by_itself": True})],
    ids=["expired", "wrong name", "self-signed"],
)
async def test_a_wrong_certificate_fails_without_saying_why(serve, answer, authority, name, options) -> None:
    client = trusting(authority)
    async with serve(answer(b""), tls=tls(authority, "wrong", name, **options)) as upstream:
        with pytest.raises(UpstreamTlsError) as caught:
            await client.send("GET", f"https://right.test:{upstream.port}/")
        assert str(caught.value) == caught.value.message == "Connection error."
        assert "verify failed" in caught.value.detail
        assert client.open_connections == 0
    await client.aclose()


async def test_an_address_is_checked_against_the_certificate_too(serve, answer, authority) -> None:
    client = trusting(authority)
    async with serve(answer(b""), tls=tls(authority, "name-only", "right.test")) as upstream:
        with pytest.raises(UpstreamTlsError):
            await client.send("GET", f"https://127.0.0.1:{upstream.port}/")
    await client.aclose()


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", b"", None])
async def test_plain_http_on_a_tls_dial_fails(serve, authority, reply) -> None:
    async def script(visit) -> None:
        await visit.reader.read(100)
        if reply is None:
            visit.reset()
        else:
            visit.write(reply)

    client = trusting(authority)
    async with serve(script) as upstream:
        with pytest.raises(UpstreamTlsError):
            await client.send("GET", f"https://127.0.0.1:{upstream.port}/")
    await client.aclose()


async def test_the_servers_of_the_default_store_do_not_include_ours(serve, answer, authority) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with serve(answer(b""), tls=tls(authority, "unknown", "right.test")) as upstream:
        with pytest.raises(UpstreamTlsError):
            await client.send("GET", upstream.url)
    await client.aclose()


async def test_a_paused_tls_stream_is_bounded(serve, authority, recorder) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (8 << 20))
        for _ in range(8):
            visit.write(b"y" * (1 << 20))
            await visit.writer.drain()
            visit.requests.append(b"")
        await visit.wait_gone()

    class Slow(recorder):
        def move(self, data: bytes) -> None:
            super().move(data)
            response.pause()

    client = trusting(authority)
    async with serve(script, tls=tls(authority, "slow", "right.test")) as upstream:
        response = await client.send("GET", f"https://right.test:{upstream.port}/")
        sink = Slow()
        response.start(sink)
        while not sink.ends:
            assert max(map(len, sink.moves), default=0) <= 2 * 65_536
            response.resume()
            await asyncio.sleep(0)
        assert b"".join(sink.moves) == b"y" * (8 << 20)
    await client.aclose()
