"""Upstreams that nobody can talk to: none listens, none accepts, or what answers does not speak TLS as it should."""

import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Unreachable(msgspec.Struct, frozen=True):
    """Ports of 127.0.0.1, and whom to trust."""

    closed: int
    """Connections are refused."""
    full: int
    """Connections are neither accepted nor refused."""
    no_tls: int
    """A web server that does not know TLS."""
    self_signed: int
    """TLS with a certificate that nobody vouches for."""
    expired: int
    """TLS with a certificate of the authority that has ended."""
    wrong_name: int
    """TLS with a certificate of the authority for another address."""
    trusted: int
    """TLS as it should be; behind it, a web server that answers 400 to everything."""
    authority: Path
    """The authority's certificate, for `SSL_CERT_FILE` of the gateway."""


@asynccontextmanager
async def unreachable(folder: Path) -> AsyncIterator[Unreachable]:
    """Open these ports; `folder` is where certificates are written."""
    authority = _Authority(folder)
    async with AsyncExitStack() as stack:

        async def serve(tls: ssl.SSLContext | None) -> int:
            server = await stack.enter_async_context(await asyncio.start_server(_refuse, "127.0.0.1", 0, ssl=tls))
            port: int = server.sockets[0].getsockname()[1]
            return port

        closed, full = (stack.enter_context(socket.socket()) for _ in range(2))
        for one in (closed, full):
            one.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue of those who wait to be accepted is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield Unreachable(
            closed=closed.getsockname()[1],
            full=full.getsockname()[1],
            no_tls=await serve(None),
            self_signed=await serve(authority.server("self-signed", itself=True)),
            expired=await serve(authority.server("expired", days=-1)),
            wrong_name=await serve(authority.server("wrong-name", address="127.0.0.2")),
            trusted=await serve(authority.server("trusted")),
            authority=authority.path,
        )


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say 400 to whatever comes, a handshake too."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


class _Authority:
    """A private authority that vouches for servers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self._key, "an authority", days=2).add_extension(constraints, critical=True)
        self.path = folder / "authority.pem"
        self.path.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, days: int = 1, address: str = "127.0.0.1", itself: bool = False) -> ssl.SSLContext:
        """A server's side with a certificate for that address which ends in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = key if itself else self._key
        certificate = (
            self._builder(key, name, days=days, issuer=name if itself else "an authority")
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
            .sign(issuer, hashes.SHA256())
        )
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self._folder / f"{name}.pem"
        path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self, key: ec.EllipticCurvePrivateKey, name: str, *, days: int, issuer: str = "an authority"
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
