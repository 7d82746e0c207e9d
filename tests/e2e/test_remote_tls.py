"""Commands for a running gateway behind TLS: who is not trusted is told nothing, and nothing is done instead."""

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.testing.running import GatewayFailed, RunningGateway

FINE = "from gateway import hookimpl\n\n\n@hookimpl\ndef register_providers():\n    return []\n"


def certificates(folder: Path, address: str) -> tuple[Path, Path]:
    """The files of a private authority, and of a server that it vouches for at that address."""
    now = datetime.datetime.now(datetime.UTC)

    def builder(key: ec.EllipticCurvePrivateKey, name: str, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days))
        )

    own, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    authority = builder(own, "private authority", 3).add_extension(constraints, critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key())
    certificate = builder(server, "gateway", 2).add_extension(names, critical=False)
    files = folder / "authority.pem", folder / "server.pem"
    pem = serialization.Encoding.PEM
    files[0].write_bytes(authority.sign(own, hashes.SHA256()).public_bytes(pem))
    private = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signed = certificate.add_extension(identifier, critical=False).sign(own, hashes.SHA256())
    files[1].write_bytes(private + signed.public_bytes(pem))
    return files


@asynccontextmanager
async def in_front_of(gateway: RunningGateway, certificate: Path) -> AsyncIterator[int]:
    """A TLS proxy on loopback, as an operator puts one there; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        both = copy(reader, inner_writer), copy(inner_reader, writer)
        await asyncio.gather(*both, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def running(folder: Path, authority: Path | None) -> RunningGateway:
    (folder / "fine.py").write_text(FINE)
    (folder / "gateway.toml").write_text(f'plugin_files = ["{folder / "fine.py"}"]\n')
    trusted = {"SSL_CERT_FILE": str(authority)} if authority else {}
    return RunningGateway(folder / "data", environ={"GATEWAY_CONFIG": str(folder / "gateway.toml"), **trusted})


async def test_a_private_authority_is_named_by_a_variable(tmp_path: Path) -> None:
    authority, certificate = certificates(tmp_path, "127.0.0.1")
    async with running(tmp_path, authority) as gateway, in_front_of(gateway, certificate) as port:
        told = json.loads(
            await gateway.command("plugins", "disable", "fine", "--json", "--url", f"https://127.0.0.1:{port}")
        )
        assert [worker["generation"] for worker in told["workers"]] == [told["generation"]]


async def test_who_is_not_trusted_is_told_no_key_and_nothing_is_done_instead(tmp_path: Path) -> None:
    _, certificate = certificates(tmp_path, "127.0.0.1")
    async with running(tmp_path, None) as gateway, in_front_of(gateway, certificate) as port:
        with pytest.raises(GatewayFailed) as refused:
            await gateway.command("plugins", "disable", "fine", "--url", f"https://127.0.0.1:{port}")
        with pytest.raises(GatewayFailed, match="speaks no TLS that can be trusted"):
            await gateway.command("plugins", "reload", "--url", f"https://127.0.0.1:{gateway.port}")
        with pytest.raises(GatewayFailed, match=r"No gateway answers at http://127\.0\.0\.1:1\."):
            await gateway.command("plugins", "disable", "fine", "--url", "http://127.0.0.1:1")
        rows = {row["name"]: row["state"] for row in json.loads(await gateway.command("plugins", "list", "--json"))}
    assert f"The certificate of https://127.0.0.1:{port} is not trusted: " in str(refused.value)
    assert "SSL_CERT_FILE names authorities of your own." in str(refused.value)
    assert rows["fine"] == "active"


async def test_a_trusted_certificate_of_another_address_is_refused(tmp_path: Path) -> None:
    authority, certificate = certificates(tmp_path, "127.0.0.2")
    async with running(tmp_path, authority) as gateway, in_front_of(gateway, certificate) as port:
        with pytest.raises(GatewayFailed, match="is not trusted: IP address mismatch"):
            await gateway.command("plugins", "reload", "--url", f"https://127.0.0.1:{port}")
