"""What the fault matrix stands on: upstreams that are not there, and a gateway that can be looked into."""

import asyncio
import datetime
import json
import socket
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream

PROBE = Path(__file__).with_name("probe.py")
HANG = 30


def identity(name: str) -> str:
    """The id of the case's model."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def script(name: str) -> str:
    """The first segment of the path to the case's script."""
    return identity(name)[:8]


class World:
    """A gateway of one lane, its upstream, and what it may not give away."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, records: Path, key: str) -> None:
        self.gateway, self.upstream = gateway, upstream
        self.key = key
        self._records = records
        self.seen: list[bytes] = []
        """All that clients were sent."""

    async def ask(self, model_id: str) -> RawResponse:
        """The answer to one question."""
        async with asyncio.timeout(HANG):
            response = await self.gateway.client.chat(model_id, key=self.key)
        self.seen.append(repr(response.headers).encode() + response.body)
        return response

    async def records(self, model_id: str, count: int) -> list[dict[str, Any]]:
        """The usage records of a model; waits until there are so many, and a moment for one too many."""
        async with asyncio.timeout(HANG):
            while len(self._read(model_id)) < count:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        return self._read(model_id)

    def _read(self, model_id: str) -> list[dict[str, Any]]:
        lines = self._records.read_bytes().splitlines() if self._records.exists() else []
        return [record for line in lines if (record := json.loads(line))["model_id"] == model_id]

    async def probe(self) -> dict[str, int]:
        """Tasks, descriptors and memory of the gateway."""
        answer: dict[str, int] = (await self.gateway.client.request("GET", "/probe")).json()
        return answer


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "self-signed.pem"
    path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def _no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a web server says to a handshake it does not understand."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


@asynccontextmanager
async def broken_ports(folder: Path) -> AsyncIterator[dict[str, int]]:
    """Ports with nobody, a full queue, wrong TLS, and a canary that counts."""
    plain = await asyncio.start_server(_no_tls, "127.0.0.1", 0)
    signed = await asyncio.start_server(_no_tls, "127.0.0.1", 0, ssl=_certificate(folder))
    async with plain, signed:
        with socket.socket() as closed, socket.socket() as full:
            closed.bind(("127.0.0.1", 0))
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(full.getsockname())
            async with ScriptedUpstream() as canary:
                yield {
                    "closed": closed.getsockname()[1],
                    "full": full.getsockname()[1],
                    "plain": plain.sockets[0].getsockname()[1],
                    "self_signed": signed.sockets[0].getsockname()[1],
                    "canary": canary.port,
                }
                assert canary.accepted == 0, "a redirect was followed"
            for client in waiting:
                client.close()
