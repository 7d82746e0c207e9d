"""S2, S5, S12, S22: the control plane opens to admin keys alone, tells strangers nothing, and takes nothing unasked."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway

ROUTES = [
    ("GET", "/admin/plugins"),
    ("GET", "/admin/generations"),
    ("GET", "/admin/health"),
    ("POST", "/admin/plugins/supabase/enable"),
    ("POST", "/admin/plugins/supabase/disable"),
    ("POST", "/admin/plugins/reload"),
    ("POST", "/admin/plugins/rollback"),
]
CHANGES = [path for method, path in ROUTES if method == "POST"]
JSON = ("content-type", "application/json")
STRANGERS: dict[str, tuple[tuple[str, str], ...]] = {
    "nothing": (),
    "an empty key": (("authorization", "Bearer "),),
    "an unknown key": (("authorization", "Bearer gw-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),),
    "another header": (("x-api-key", "nobody"),),
    "a cookie": (("cookie", "session=admin"),),
    "SQL": (("authorization", "Bearer ' OR 1=1 --"),),
    "a forwarded address": (("x-forwarded-for", "127.0.0.1"),),
}
FIELDS = [
    "enabled",
    "name",
    "scopes",
    "plugins",
    "generation",
    "revision",
    "plugin_files",
    "origin",
    "url",
    "id",
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    canary = {
        "GATEWAY_PLUGINS__SUPABASE__URL": "https://a.example",
        "GATEWAY_PLUGINS__SUPABASE__SERVICE_ROLE_KEY": CANARY,
    }
    async with RunningGateway(tmp_path / "data", environ=canary) as running:
        yield running


CANARY = "service-role-canary-7f3a9b1c5d2e"


def admin_key(gateway: RunningGateway) -> str:
    return (gateway.data_dir / "admin-key").read_text().strip()


async def ask(
    gateway: RunningGateway, method: str, path: str, key: str = "", *headers: tuple[str, str], body: bytes = b""
) -> RawResponse:
    own = [("authorization", f"Bearer {key}")] if key else []
    return await gateway.client.request(method, path, headers=[*own, *headers], body=body)


async def test_strangers_read_one_constant_answer(gateway: RunningGateway) -> None:
    answers = set()
    for headers in STRANGERS.values():
        for method, path in ROUTES:
            answer = await ask(gateway, method, path, "", JSON, *headers)
            assert (answer.status, answer.header("content-type")) == (401, "application/problem+json")
            assert answer.header("www-authenticate") == "Bearer"
            answers.add(answer.body)
    assert len(answers) == 1


async def test_a_chat_key_is_no_admin_key(gateway: RunningGateway) -> None:
    key = (await gateway.command("keys", "create", "chatter")).strip()
    async with asyncio.timeout(10):
        while (await ask(gateway, "GET", "/admin/plugins", key)).status == 401:
            await asyncio.sleep(0.05)  # a new key is known within two seconds
    for method, path in ROUTES:
        assert (await ask(gateway, method, path, key, JSON)).status == 403


async def test_no_spelling_gets_past_the_guard(gateway: RunningGateway) -> None:
    for path in ("//admin/plugins", "/admin//plugins", "/ADMIN/plugins", "/admin/%70lugins", "/admin/"):
        for host in ("evil.example", "127.0.0.1:1", ""):
            answer = await ask(gateway, "GET", path, "", ("host", host))
            assert answer.status in (400, 401, 404), (path, host)


async def test_two_different_keys_are_refused(gateway: RunningGateway) -> None:
    answer = await ask(gateway, "GET", "/admin/plugins", admin_key(gateway), ("x-api-key", "another"))
    assert answer.status == 400


async def test_a_field_nobody_asked_for_is_refused(gateway: RunningGateway) -> None:
    key = admin_key(gateway)
    for field in FIELDS:
        for path in CHANGES:
            answer = await ask(gateway, "POST", path, key, JSON, body=json.dumps({field: True}).encode())
            assert answer.status == 400, (path, field)
            assert answer.json()["status"] == 400
    assert (await ask(gateway, "GET", "/admin/generations", key)).json()["workers"][0]["generation"] == 1


async def test_what_is_no_such_object_is_refused(gateway: RunningGateway) -> None:
    for body in (b"[]", b"null", b'"x"', b"{", b"\xff", b"[" * sys.getrecursionlimit() * 2, b"{}{}"):
        answer = await ask(gateway, "POST", "/admin/plugins/reload", admin_key(gateway), JSON, body=body)
        assert (answer.status, answer.header("content-type")) == (400, "application/problem+json"), body[:10]


async def test_what_another_sites_page_may_send_is_refused(gateway: RunningGateway) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        for path in CHANGES:
            answer = await ask(gateway, "POST", path, admin_key(gateway), ("content-type", media_type), body=b"{}")
            assert answer.status == 415, (media_type, path)


async def test_no_setting_of_a_plugin_is_shown(gateway: RunningGateway) -> None:
    key = admin_key(gateway)
    for method, path in ROUTES:
        answer = await ask(gateway, method, path, key, JSON)
        assert CANARY.encode() not in answer.body
    assert CANARY not in gateway.log


async def test_a_name_is_only_looked_up_among_the_installed(gateway: RunningGateway) -> None:
    for name in ("../../etc/passwd", "%2e%2e%2fkeys", "os", "gateway.cli", "a" * 5000, "x';%20DROP%20TABLE%20keys"):
        answer = await ask(gateway, "POST", f"/admin/plugins/{name}/enable", admin_key(gateway), JSON)
        assert answer.status in (400, 404, 431), name
    assert not (gateway.data_dir / "plugins.json").exists()


async def test_a_wrong_method_is_told_the_right_ones(gateway: RunningGateway) -> None:
    answer = await ask(gateway, "DELETE", "/admin/plugins", admin_key(gateway))
    assert (answer.status, answer.header("content-type")) == (405, "application/problem+json")
    assert "GET" in (answer.header("allow") or "")
