"""Commands for a running gateway behind TLS: who is not trusted is told nothing, and nothing is done instead."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.testing.authority import Authority
from gateway.testing.running import GatewayFailed, RunningGateway

FINE = "from gateway import hookimpl\n\n\n@hookimpl\ndef register_providers():\n    return []\n"


@asynccontextmanager
async def in_front_of(gateway: RunningGateway, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS proxy on loopback, as an operator puts one there; gives its port."""

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
    authority = Authority(tmp_path)
    tls = authority.server("gateway", "127.0.0.1")
    async with running(tmp_path, authority.path) as gateway, in_front_of(gateway, tls) as port:
        told = json.loads(
            await gateway.command("plugins", "disable", "fine", "--json", "--url", f"https://127.0.0.1:{port}")
        )
        assert [worker["generation"] for worker in told["workers"]] == [told["generation"]]


async def test_who_is_not_trusted_is_told_no_key_and_nothing_is_done_instead(tmp_path: Path) -> None:
    tls = Authority(tmp_path).server("gateway", "127.0.0.1")
    async with running(tmp_path, None) as gateway, in_front_of(gateway, tls) as port:
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
    authority = Authority(tmp_path)
    tls = authority.server("gateway", "127.0.0.2")
    async with running(tmp_path, authority.path) as gateway, in_front_of(gateway, tls) as port:
        with pytest.raises(GatewayFailed, match="is not trusted: IP address mismatch"):
            await gateway.command("plugins", "reload", "--url", f"https://127.0.0.1:{port}")
