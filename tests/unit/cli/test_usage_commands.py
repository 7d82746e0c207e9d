"""`gateway usage`: sums of what was consumed, and their deletion."""

import asyncio
import json
import time

import msgspec
import pytest
from click.testing import CliRunner
from consumed import RECORD

from gateway.cli import main
from gateway.registry import Database, UsageStore
from gateway.settings import Settings

DAY = 86_400.0


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command on a database with an attempt of now and one of ten days ago."""
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))

    async def seed() -> None:
        database = await Database.open(Settings(data_dir=tmp_path))
        try:
            old = {"attempt_id": "a2", "started_at": time.time() - 10 * DAY, "model_name": "old", "cost": None}
            now = msgspec.structs.replace(RECORD, started_at=time.time())
            await UsageStore(database).add([now, msgspec.structs.replace(RECORD, **old)])
        finally:
            await database.aclose()

    asyncio.run(seed())
    return lambda *arguments: CliRunner().invoke(main, ["usage", *arguments])


def test_usage_is_summed_up_by_model(run):
    result = run("sum", "--json")
    assert result.exit_code == 0
    assert [(one["model"], one["attempts"], one["cost"], one["unpriced"]) for one in json.loads(result.stdout)] == [
        ("gpt", 1, 0.25, 0),
        ("old", 1, 0.0, 1),
    ]


def test_a_span_of_time_leaves_the_rest_out(run):
    lines = run("sum", "--by", "owner", "--last", "1d").stdout.splitlines()
    assert lines[0].split() == ["OWNER", "ATTEMPTS", "INPUT", "OUTPUT", "COST", "UNPRICED", "UNCOUNTED"]
    assert [line.split() for line in lines[1:]] == [["(operator)", "1", "100", "10", "0.2500", "0", "0"]]


def test_old_usage_is_deleted_only_when_asked(run):
    assert json.loads(run("prune", "--older-than", "5d", "--json").stdout) == {"deleted": 1}
    assert [one["model"] for one in json.loads(run("sum", "--json").stdout)] == ["gpt"]
    assert run("prune").exit_code == 2
