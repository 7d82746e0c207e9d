"""A Chatbot UI with 1,000 models of 20 users moves in: twice, with every id, and with no key in plain text."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from chatbot_ui_tables import direct, fill, pg_dump, user
from seeding import seed

from gateway.registry import Database
from gateway.registry.snapshot import contents, made_of
from gateway.settings import load_settings
from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]
MODELS, USERS = 1000, 20
ISSUER, SECRET = "https://abc.supabase.co/auth/v1", "the-secret-that-the-project-signs-its-tokens-with"
PROJECT = {
    "GATEWAY_PLUGINS__SUPABASE__URL": "https://abc.supabase.co",
    "GATEWAY_PLUGINS__SUPABASE__USERS": "true",
    "GATEWAY_PLUGINS__SUPABASE__JWT_SECRET": SECRET,
}
UNKNOWN = "99999999-0000-4000-8000-000000000000"
COLUMNS = ("folder_id", "created_at", "updated_at", "sharing", "description", "model_id", "base_url", "context_length")


@pytest.fixture(params=["sqlite", "postgres"])
def ours(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the gateway keeps what it takes over."""
    if request.param == "sqlite":
        return {}
    return {"GATEWAY_DATABASE_URL": request.getfixturevalue("module_postgres_url")}


def signed_in(owner: str) -> str:
    """What the front end of that user holds; the others call with virtual keys."""
    claims = {"sub": owner, "iss": ISSUER, "aud": "authenticated", "exp": int(time.time()) + 3600}
    return jwt.encode({**claims, "role": "authenticated"}, SECRET, "HS256")


def refusal(response: RawResponse) -> tuple[Any, ...]:
    """All that a client can tell one refusal from another by."""
    headers = [(name, value) for name, value in response.headers if name not in ("date", "x-request-id")]
    return response.status, tuple(headers), response.body, response.complete


async def test_everything_moves_in_and_keys_are_nowhere_in_plain_text(
    tmp_path, postgres_server, fresh_postgres_url, ours
):
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("case", stream(*chat_events("yes"), pause=0.0))
        rows = await fill(direct(fresh_postgres_url, postgres_server), models=MODELS, users=USERS, base_url=base_url)
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', **PROJECT, **ours}
        keys = await seed(tmp_path, environ, keys={str(number): user(number) for number in range(2)})
        keys["2"] = signed_in(user(2))
        gateway = RunningGateway(tmp_path, environ=environ)
        importing = ("import", "chatbot-ui", "--from", fresh_postgres_url, "--json")
        dry = json.loads(await gateway.command(*importing, "--dry-run"))
        first = json.loads(await gateway.command(*importing))
        async with gateway:
            second = json.loads(await gateway.command(*importing))
            await assert_owners_are_answered_and_others_refused_alike(gateway, rows, keys)
        asked = {seen.request.header("authorization") for seen in upstream.seen("case")}
    assert dry == {**first, "dry_run": True}
    assert first["counts"] == {"added": MODELS, "updated": 0, "unchanged": 0, "failed": 0}
    assert second["counts"] == {"added": 0, "updated": 0, "unchanged": MODELS, "failed": 0}
    assert [row["id"] for row in first["rows"]] == sorted(row["id"] for row in rows)
    assert asked, "keys were used"
    assert asked <= {f"Bearer {row['api_key']}" for row in rows}
    assert await stored(tmp_path, environ) == {row["id"]: essence(row) for row in rows}
    database = direct(ours["GATEWAY_DATABASE_URL"], postgres_server) if ours else None
    held = await everything_written(tmp_path, database) + json.dumps([dry, first, second]).encode()
    assert b"Model 999" in held or not ours, "the search looks at the table"
    assert [row["id"] for row in rows if row["api_key"].encode() in held] == []
    assert b"sk-canary" not in held


async def assert_owners_are_answered_and_others_refused_alike(gateway, rows, keys) -> None:
    sampled = [rows[number] for number in (0, 1, 2, 20, 41, 62, 500, 521, 985, 999)]
    refusals = set()
    for number, key in keys.items():
        refusals.add(refusal(await gateway.client.chat(UNKNOWN, key=key)))
        for row in sampled:
            response = await gateway.client.chat(row["id"], key=key)
            allowed = row["sharing"] != "private" or row["user_id"] == user(int(number))
            assert (response.status == 200) is allowed, (number, row["name"], response.body)
            if allowed:
                assert (response.body, response.complete) == (b"yes", True)
            else:
                refusals.add(refusal(response))
    [(status, _, body, complete)] = refusals
    assert (status, complete) == (500, True)
    assert body == b'{"message":"Cannot coerce the result to a single JSON object"}'


def essence(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["user_id"], row["name"], row["api_key"], *(row[column] for column in COLUMNS)


async def stored(data_dir: Path, environ: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    """Every model as the gateway reads it, keys opened."""
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        snapshot = await made_of(await contents(database), database)
        async with database.read() as connection:
            from gateway.registry.tables import models

            rows = (await connection.execute(models.select())).mappings().all()
    finally:
        await database.aclose()
    keys = {row["id"]: snapshot.model(row["id"]).api_key.reveal() for row in rows}
    return {row["id"]: essence({**row, "api_key": keys[row["id"]]}) for row in rows}


def files_in(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def everything_written(data_dir: Path, database: str | None) -> bytes:
    """All files, the server's log among them, and a dump of our schema where it lies in PostgreSQL."""
    files = b"".join(map(Path.read_bytes, files_in(data_dir)))
    return files + await pg_dump(database, "-n", "gateway", "--inserts") if database else files
