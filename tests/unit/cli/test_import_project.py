"""`gateway import chatbot-ui` from a Supabase project that answers oddly, and the key it is asked with."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest
from gateway.testing.postgrest import PostgrestStandIn

KEY = "sb_secret_canary-of-the-service-role"
ROW = {
    "id": "0b1c2d3e-0000-4000-8000-00000000000a",
    "user_id": "0b1c2d3e-0000-4000-8000-00000000000b",
    "name": "n",
    "description": "",
    "model_id": "m",
    "base_url": "https://a.example/v1",
    "api_key": "sk-canary",
}


class Odd(LoopbackServer):
    """Answers every question so."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self._answer = status, body

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        connection.reply(*self._answer)
        await connection.writer.drain()


async def importing(folder: Path, project: LoopbackServer, *arguments: str, key: str = KEY) -> Result:
    """Import from the project, with the key in a file."""
    (folder / "key").write_text(f"{key}\n")
    environ = {"GATEWAY_DATA_DIR": str(folder / "data"), "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    command = ["import", "chatbot-ui", "--from", project.origin, "--service-key-file", str(folder / "key"), *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, command, env=environ)
    assert "canary" not in result.output
    assert "Traceback" not in result.output
    return result


async def test_the_key_may_lie_in_a_file(tmp_path):
    async with PostgrestStandIn(KEY) as project:
        project.add(ROW)
        done = await importing(tmp_path, project, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["counts"]["added"] == 1


async def test_a_refused_key_is_told(tmp_path):
    async with PostgrestStandIn("another") as project:
        refused = await importing(tmp_path, project)
    assert refused.exit_code == 1
    assert "The project refuses the key: take the service role key" in refused.stderr


async def test_a_table_that_is_not_there_is_told(tmp_path):
    async with PostgrestStandIn(KEY) as project:
        refused = await importing(tmp_path, project, "--profiles")
    assert refused.exit_code == 1
    assert "The project answers 404 (Could not find the table in the schema cache)" in refused.stderr


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "The project's answer is no list of rows"),
        (200, b"{}", "The project's answer is no list of rows"),
        (200, json.dumps([ROW]).encode(), "The project answers the same page again"),
        (500, json.dumps({"message": f"no {KEY} here"}).encode(), "The project answers 500 (no *** here)"),
        (502, b"<html>", "The project answers 502 (no reason)"),
        (302, b"", "The project cannot be reached: the upstream answered with a redirect (302)"),
    ],
)
async def test_what_is_no_project_is_told_and_nothing_is_made(tmp_path, status, body, said):
    async with Odd(status, body) as project:
        refused = await importing(tmp_path, project)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://supabase.com/dashboard/project/abc", "This is Supabase's dashboard"),
        ("https://user@abc.supabase.co", "credentials, a query or a fragment"),
    ],
)
def test_another_url_than_the_projects_is_told(tmp_path, url, said):
    environ = {"GATEWAY_DATA_DIR": str(tmp_path), "SUPABASE_SERVICE_ROLE_KEY": KEY}
    refused = CliRunner().invoke(main, ["import", "chatbot-ui", "--from", url], env=environ)
    assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_the_key_is_asked_for_on_a_terminal_and_not_shown(tmp_path):
    environ = {name: value for name, value in os.environ.items() if name != "SUPABASE_SERVICE_ROLE_KEY"}
    environ |= {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "TERM": "xterm"}
    control, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "import", "chatbot-ui", "--from", "https://127.0.0.1:1"],
        env=environ,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = read_until(
        control, lambda text: b"Service role key: " in text
    )  # the space comes when nothing is echoed any more
    os.write(control, KEY.encode() + b"\n")
    shown += read_until(control, lambda text: False)
    assert process.wait(60) == 1
    os.close(control)
    assert b"The project cannot be reached" in shown
    assert b"canary" not in shown


def read_until(control: int, enough: Callable[[bytes], bool]) -> bytes:
    """What the terminal shows, until it is enough or ends."""
    shown = b""
    try:
        while not enough(shown) and (block := os.read(control, 65536)):
            shown += block
    except OSError:  # Linux ends a terminal so
        pass
    return shown
