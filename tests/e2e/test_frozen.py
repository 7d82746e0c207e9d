"""Plugins of the first contract, which nobody may edit, still load and serve."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, reply, stream

FROZEN = Path(__file__).parents[1] / "frozen"
MODEL_ID = "3f0c2a52-8f0e-4c66-9a7a-5ad5c3b0f001"
ROUTE_ID = "3f0c2a52-8f0e-4c66-9a7a-5ad5c3b0f002"
DIGESTS = {
    "gateway-frozen-lookup/gateway_frozen_lookup.py": (
        "271a39e7dfd4bbc97518cf2bf7004179e2c1ed6d92fa7f9c292ad55dd6d3390c"
    ),
    "gateway-frozen-lookup/pyproject.toml": "4bed14053881f5606599025d4b38f5373df12b840c500ce8fd0e9b5562f4caa9",
    "gateway-frozen-provider/gateway_frozen_provider.py": (
        "b874e0c17d7dc055b69c27fba82a8ae429bdcfbe01c6451a1c457cb6cc470e4b"
    ),
    "gateway-frozen-provider/pyproject.toml": "00eefc9e7e554f784021b01f5c62554bf94a287681c11348ee0f2ec5d993f8ef",
    "gateway-frozen-stages/gateway_frozen_stages.py": (
        "d1729b660d56a5731bff9ea790177685266a876a270a2a427d2c685a7be5e9c2"
    ),
    "gateway-frozen-stages/pyproject.toml": "bb170c2df8f09d8a061f49dd4849a10ee0fdd7a9f7b72b5e644d5b54eeddc7b4",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the frozen distributions, as pip installs them."""
    work = tmp_path_factory.mktemp("frozen")
    sources = [shutil.copytree(path.parent, work / path.parent.name) for path in FROZEN.glob("*/pyproject.toml")]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, *offline, "--target", work / "site", *sources], check=True, timeout=100)
    return work / "site"


@asynccontextmanager
async def gateway(data_dir: Path, site: Path, base_url: str, **more: str) -> AsyncIterator[RunningGateway]:
    environ = {
        "PYTHONPATH": str(site),
        "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
        "GATEWAY_PLUGINS__FROZEN_LOOKUP__ENABLED": "true",
        "GATEWAY_PLUGINS__FROZEN_LOOKUP__BASE_URL": base_url,
        "GATEWAY_PLUGINS__FROZEN_LOOKUP__TOKEN": "a frozen token",
        "GATEWAY_PLUGINS__FROZEN_PROVIDER__ENABLED": "true",
        "GATEWAY_PLUGINS__FROZEN_PROVIDER__USAGE_FILE": str(data_dir / "usage.jsonl"),
        **more,
    }
    async with RunningGateway(data_dir, environ=environ) as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


def test_nobody_has_edited_them():
    files = {path for path in FROZEN.rglob("*") if path.suffix in (".py", ".toml")}
    digests = {path.relative_to(FROZEN).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert digests == DIGESTS, "see tests/frozen/README.md"


async def test_they_answer_a_request_together(tmp_path, site, upstream):
    lines = (b'{"word": "still"}\n', b'{"word": " here"}\n', b'{"in": 3, "out": 2}\n')
    async with gateway(tmp_path, site, upstream.play("case", stream(*lines))) as running:
        answer = await running.client.chat(MODEL_ID, "are you there?", key="a frozen token")
        assert (answer.status, answer.body, answer.complete) == (200, b"still here", True)
        assert await running.stop() == 0
    [seen] = upstream.seen("case")
    assert seen.request.header("authorization") == "Bearer sk-frozen-credential"
    assert seen.request.json()["messages"][-1]["content"] == "are you there?"
    usage = (tmp_path / "usage.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in usage] == [["frozen", "ok", 3, 2]]
    assert running.log.index("frozen_opened") < running.log.index("frozen_closed")


async def test_their_refusals_and_words_reach_the_client(tmp_path, site, upstream):
    async with gateway(tmp_path, site, upstream.play("case", reply(429, b"full"))) as running:
        busy = await running.client.chat(MODEL_ID, key="a frozen token")
        revoked = await running.client.chat(MODEL_ID, key="revoked")
        stranger = await running.client.chat(MODEL_ID, key="another token")
        gone = await running.client.chat(MODEL_ID[:-1] + "f", key="a frozen token")
    assert (busy.status, busy.json()) == (429, {"message": "frozen is busy."})
    assert (revoked.status, stranger.status) == (401, 401)
    assert "That model is gone." in gone.json()["message"]


async def test_the_stages_around_a_request_serve(tmp_path, site, upstream):
    lines = (b'{"word": "still h"}\n', b'{"word": "ere, all of us"}\n', b'{"in": 3, "out": 2}\n')
    base_url = upstream.play("case", stream(*lines))
    stages = {
        "GATEWAY_PLUGINS__FROZEN_STAGES__ENABLED": "true",
        "GATEWAY_PLUGINS__FROZEN_STAGES__BASE_URL": base_url,
        "GATEWAY_PLUGINS__FROZEN_STAGES__NOTES": str(tmp_path / "notes.jsonl"),
    }
    async with gateway(tmp_path, site, base_url, **stages) as running:
        answer = await running.client.chat(ROUTE_ID, "are you there?", key="a frozen token")
        assert (answer.status, answer.body, answer.complete) == (200, b"STILL HERE, ALL OF US", True)
        refused = await running.client.chat(ROUTE_ID, "forbidden", key="a frozen token")
        assert (refused.status, refused.json()) == (400, {"message": "frozen forbids it."})
        rows = {row["name"]: row for row in json.loads(await running.command("plugins", "list", "--json"))}
        assert (rows["frozen_stages"]["state"], len(rows["frozen_stages"]["hooks"])) == ("active", 6)
        assert await running.stop() == 0
    [seen] = upstream.seen("case")
    assert [message["content"] for message in seen.request.json()["messages"]] == ["Be cold.", "are you there?"]
    notes = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    assert notes[0] == ["seen", "STILL HERE, ALL OF US", "stop", "frozen-4"]
    assert sorted(notes[1:], key=str) == [["settled", "frozen", "ok", 2, 1], ["settled", "frozen", "rejected", None, 0]]


async def test_the_frozen_limiter_refuses_in_its_own_words(tmp_path, site, upstream):
    base_url = upstream.play("case")
    stages = {
        "GATEWAY_PLUGINS__FROZEN_STAGES__ENABLED": "true",
        "GATEWAY_PLUGINS__FROZEN_STAGES__BASE_URL": base_url,
        "GATEWAY_PLUGINS__FROZEN_STAGES__NOTES": str(tmp_path / "notes.jsonl"),
        "GATEWAY_PLUGINS__FROZEN_STAGES__MOST": "0",
    }
    async with gateway(tmp_path, site, base_url, **stages) as running:
        answer = await running.client.chat(ROUTE_ID, key="a frozen token")
    assert (answer.status, answer.json()) == (429, {"message": "frozen is full."})
    assert answer.header("retry-after") == "7"


async def test_they_are_listed_as_active(tmp_path, site, upstream):
    async with gateway(tmp_path, site, upstream.play("case")) as running:
        rows = {row["name"]: row for row in json.loads(await running.command("plugins", "list", "--json"))}
    assert [rows[name]["state"] for name in ("frozen_lookup", "frozen_provider")] == ["active", "active"]
