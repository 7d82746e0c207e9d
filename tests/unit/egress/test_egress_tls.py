"""TLS: right certificates work, all others fail alike, without telling why."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.egress import EgressClient, EgressPolicy, SystemResolver
from gateway.errors import UpstreamTlsError

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of one test session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "canary authority")])
        self.certificate = (
            self._builder(self.name, self.key, NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime.datetime):
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 9 * DAY)
            .not_valid_after(until)
        )

    def server(self, label: str, *names: str, until: datetime.datetime = NOW + DAY, by_itself: bool = False):
        """A server's context with a certificate for these names and 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.DNSName(name) for name in names]
        certificate = (
            self._builder(x509.Name([]), key, until)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
            .sign(key if by_itself else self.key, hashes.SHA256())
        )
        path = self.folder / f"{label}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def client(self) -> EgressClient:
        """A client that trusts this authority; all names are this machine."""
        context = ssl.create_default_context(cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode())
        resolver = SystemResolver(lambda host: ["127.0.0.1"])
        return EgressClient(EgressPolicy(allow=("127.0.0.1", "right.test")), resolver=resolver, ssl_context=context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def test_a_right_certificate_works_and_the_connection_is_reused(serve, answer, authority) -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000
    client = authority.client()
    async with serve(answer(data), tls=authority.server("right", "right.test")) as upstream:
        for name in ("right.test", "RIGHT.test.", "right.test"):
            body = await (await client.send("GET", f"https://{name}:{upstream.port}/")).read(1_000_000)
            assert body == b"x" * 200_000
        assert [len(visit.requests) for visit in upstream.visits] == [2, 1]
        await client.aclose()
        assert client.open_connections == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [("right.test", {"until": NOW - DAY}), ("wrong.test", {}), ("right.test", {"by_itself": True})],
    ids=["expired", "wrong name", "self-signed"],
)
async def test_a_wrong_certificate_fails_without_saying_why(serve, answer, authority, name, options) -> None:
    tls = authority.server("wrong", name, **options)
    client = authority.client()
    async with serve(answer(b""), tls=tls) as upstream:
        with pytest.raises(UpstreamTlsError) as caught:
            await client.send("GET", f"https://right.test:{upstream.port}/")
        assert str(caught.value) == caught.value.message == "Connection error."
        assert "verify failed" in caught.value.detail
        assert client.open_connections == 0
    await client.aclose()


async def test_an_address_is_checked_against_the_certificate_too(serve, answer, authority) -> None:
    client = authority.client()
    async with serve(answer(b""), tls=authority.server("name-only", "right.test")) as upstream:
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

    client = authority.client()
    async with serve(script) as upstream:
        with pytest.raises(UpstreamTlsError):
            await client.send("GET", f"https://127.0.0.1:{upstream.port}/")
    await client.aclose()


async def test_the_servers_of_the_default_store_do_not_include_ours(serve, answer, authority) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with serve(answer(b""), tls=authority.server("unknown", "right.test")) as upstream:
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

    client = authority.client()
    async with serve(script, tls=authority.server("slow", "right.test")) as upstream:
        response = await client.send("GET", f"https://right.test:{upstream.port}/")
        sink = Slow()
        response.start(sink)
        while not sink.ends:
            assert max(map(len, sink.moves), default=0) <= 2 * 65_536
            response.resume()
            await asyncio.sleep(0)
        assert b"".join(sink.moves) == b"y" * (8 << 20)
    await client.aclose()
