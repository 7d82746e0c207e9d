"""What docs/chatbot-ui.md tells people to type and to configure works as shown."""

import asyncio
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.importing import profiles
from gateway.cli.importing.chatbot_ui import INCOMPLETE
from gateway.registry import Database, KeyStore, ModelStore, NewModel
from gateway.runtime import load_plugins
from gateway.settings import Settings, load_settings
from gateway.testing.client import RawClient, RawExchange
from gateway.testing.faults import close_midstream, stall_midstream
from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/chatbot-ui.md").read_text("utf-8")
SOURCES = sorted((ROOT / "gateway/cli/importing").glob("*.py"))
WHOLE, CUT, HELD = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("gateway import")]


@pytest.mark.parametrize("command", commands())
def test_an_import_of_the_page_runs(command, tmp_path):
    file = tmp_path / "dump.sql"
    owner, model = "0b1c2d3e-0000-4000-8000-00000000000b", "0b1c2d3e-0000-4000-8000-00000000000a"
    file.write_text(
        "INSERT INTO public.models (id, user_id, name, description, model_id, base_url, api_key)"
        f" VALUES ('{model}', '{owner}', 'n', '', 'm', 'https://a.example/v1', 'k');\n"
        f"INSERT INTO public.profiles (id, user_id, openai_api_key) VALUES ('{model}', '{owner}', 'k');\n"
    )
    environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "CHATBOT_UI_DATABASE": str(file)}
    done = CliRunner().invoke(main, command.split()[1:], env=environ)
    assert done.exit_code == 0, done.output
    assert f"{3 if '--profiles' in command else 1} added" in done.stderr
    assert (tmp_path / "data").exists() is ("--dry-run" not in command)


def test_the_settings_of_the_page_let_users_in(tmp_path):
    (text,) = blocks("toml")
    plugins = load_plugins(Settings(data_dir=tmp_path, plugins=tomllib.loads(text)["plugins"]))
    assert plugins.problems() == ()
    (settings,) = (entry.settings for entry in plugins.active if entry.name == "supabase")
    assert settings.token_rules is not None
    assert settings.project is None, "models are those that were imported"


def test_every_finding_and_exit_code_is_on_the_page():
    codes = {code for file in SOURCES for code in re.findall(r'Finding\(\s*"(\w+)"', file.read_text("utf-8"))}
    codes |= {code for file in SOURCES for code in re.findall(r'uuid\("\w+", "(\w+)"\)', file.read_text("utf-8"))}
    assert {"bad_id", "private_address", "key_kept"} <= codes
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
    assert f"| {INCOMPLETE} | done, but some rows" in PAGE


def test_every_provider_is_in_the_table():
    for name, provider in profiles.PROVIDERS.items():
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{provider.column}` |"))
        assert all(f"`{text}`" in row for text in (name, provider.base_url, provider.model_id))


class ChatbotUI(LoopbackServer):
    """The rest of the front end's server."""

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        connection.reply(200, b"Chatbot UI")
        await connection.writer.drain()


@asynccontextmanager
async def nginx(folder: Path, gateway: int, front: int) -> AsyncIterator[RawClient]:
    """nginx as somebody has it before Chatbot UI, compressing, with the block of the page in it."""
    (location,) = blocks("nginx")
    # An address of its own: a port that was free a moment ago may be taken now.
    client = RawClient(".".join(map(str, (127, *(1 + byte % 254 for byte in os.urandom(3))))), 18080)
    log, config = folder / "error.log", folder / "nginx.conf"
    places = "".join(f"{kind}_temp_path {folder}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {log}; events {{}}\n"
        f"http {{ access_log off; {places} gzip on; gzip_types text/plain; gzip_proxied any; gzip_http_version 1.0;\n"
        f"server {{ listen {client.host}:{client.port}; location / {{ proxy_pass http://127.0.0.1:{front}; }}\n"
        f"{location.replace('127.0.0.1:8000', f'127.0.0.1:{gateway}')} }} }}\n"
    )
    assert NGINX is not None
    process = await asyncio.create_subprocess_exec(NGINX, "-c", str(config), "-e", str(log))
    try:
        async with asyncio.timeout(60):
            while not await answers(client):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(client: RawClient) -> bool:
    try:
        return (await client.request("GET", "/")).body == b"Chatbot UI"
    except ConnectionError:
        return False


async def ask(client: RawClient, model_id: str, key: str) -> RawExchange:
    """As a browser does: ready for a compressed answer."""
    body = {"chatSettings": {"model": "m"}, "messages": [], "customModelId": model_id}
    headers = [("authorization", f"Bearer {key}"), ("accept-encoding", "gzip, deflate, br")]
    return await client.send("POST", "/api/chat/custom", headers=headers, body=json.dumps(body).encode())


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    (NGINX is None and os.environ.get("TEST_REQUIRE") != "all") or sys.platform != "linux",
    reason="needs nginx: apt-get install nginx-light",
)
async def test_behind_nginx_tokens_arrive_while_more_are_to_come_and_a_cut_stays_a_cut(tmp_path):
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream, ChatbotUI() as front:
        addresses = {
            WHOLE: upstream.play("whole", stream(*chat_events("one ", "two ", "three"))),
            CUT: upstream.play("cut", close_midstream("one ", "two ")),
            HELD: upstream.play("held", stall_midstream("one ")),
        }
        key = await prepare(tmp_path, environ, addresses)
        async with (
            RunningGateway(tmp_path, environ=environ) as gateway,
            nginx(tmp_path, gateway.port, front.port) as client,
        ):
            whole = await (await ask(client, WHOLE, key)).finish()
            cut = await (await ask(client, CUT, key)).finish()
            refused = await client.chat(WHOLE)
            held = await ask(client, HELD, key)
            async with asyncio.timeout(60):
                await held.head()
                first = await held.chunk()
            await held.leave()
    assert (whole.status, whole.body, whole.complete) == (200, b"one two three", True)
    assert (cut.status, cut.body, cut.complete) == (200, b"one two ", False)
    assert first == b"one ", "it came although the upstream holds back the rest"
    assert refused.status == 401


async def prepare(data_dir: Path, environ: dict[str, str], addresses: dict[str, str]) -> str:
    """Put these models in; a key that may use them."""
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        for model_id, url in addresses.items():
            new = NewModel(id=model_id, name=model_id, model_id="m", base_url=url, sharing="public")
            await ModelStore(database).add(new)
        _, secret = await KeyStore(database).create("a")
    finally:
        await database.aclose()
    return secret.reveal()
