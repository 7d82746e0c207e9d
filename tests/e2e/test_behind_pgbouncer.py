"""The gateway on a PostgreSQL that it reaches through a pooler in transaction mode, as Supabase's port 6543 is one."""

import asyncio
from pathlib import Path

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

MODEL = "00000000-0000-4000-8000-000000000001"
OWNER = "a11ce000-0000-4000-8000-000000000001"
HANG = 60.0


@pytest.mark.postgres
async def test_it_serves_and_follows_changes_through_the_pooler(pgbouncer_url: str, tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("case", stream(*chat_events("yes"), pause=0.0))
        environ = {"GATEWAY_DATABASE_URL": pgbouncer_url, "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
        model = NewModel(id=MODEL, name="m", model_id="m", base_url=base_url, user_id=OWNER)
        keys = await seed(tmp_path, environ, models=[model], keys={"k": OWNER})
        async with RunningGateway(tmp_path, environ=environ, arguments=("--workers", "2")) as gateway:
            answers = await asyncio.gather(*(gateway.client.chat(MODEL, key=keys["k"]) for _ in range(20)))
            assert [(answer.status, answer.body, answer.complete) for answer in answers] == [(200, b"yes", True)] * 20
            fresh = (await gateway.command("keys", "create", "fresh", "--owner", OWNER)).strip()
            await _until_answered(gateway, fresh, 200)
            await gateway.command("keys", "revoke", "fresh")
            await _until_answered(gateway, fresh, 401)
            assert "served from memory" not in gateway.log
            assert await gateway.stop() == 0


async def _until_answered(gateway: RunningGateway, key: str, status: int) -> None:
    """Both workers have heard once several requests in a row are answered so; the limit is against hanging only."""
    async with asyncio.timeout(HANG):
        in_a_row = 0
        while in_a_row < 6:
            answer = await gateway.client.chat(MODEL, key=key)
            in_a_row = in_a_row + 1 if answer.status == status else 0
            await asyncio.sleep(0.05)
