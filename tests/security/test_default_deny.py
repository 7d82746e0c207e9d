"""S2, S3, S12, S22: whatever the spelling of path or credential, nobody without a key gets past a public word."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.testing.running import RunningGateway

_PUBLIC = {"/health/live", "/health/ready"}
_BODY = json.dumps(
    {
        "chatSettings": {"model": "demo", "temperature": 0},
        "messages": [{"role": "user", "content": "Hi"}],
        "customModelId": "de300000-0000-4000-8000-000000000001",
    }
).encode()
_PATHS = (
    "/api/chat/custom",
    "/api/chat/custom/",
    "//api/chat/custom",
    "/api//chat/custom",
    "/api/chat/%63ustom",
    "/api/chat%2fcustom",
    "/./api/chat/custom",
    "/health/../api/chat/custom",
    "/health/live/../../api/chat/custom",
    "/health/live%2f..%2f..%2fapi/chat/custom",
    "/api/chat/custom?key=gw-0",
    "/api/chat/custom;/health/live",
    "/API/chat/custom",
    "/v1/models",
    "/v1/chat/completions",
    "/admin",
    "/admin/models",
    "/admin/keys",
    "/metrics",
    "/health",
    "/health/models",
    "/schema",
    "/schema/openapi.json",
    "/docs",
    "/console",
    "/",
)
_CREDENTIALS: dict[str, tuple[tuple[str, str], ...]] = {
    "none": (),
    "empty": (("authorization", "Bearer "),),
    "unknown": (("authorization", "Bearer gw-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),),
    "other header": (("x-api-key", "nobody"),),
    "basic": (("authorization", "Basic YWRtaW46YWRtaW4="),),
    "sql": (("authorization", "Bearer ' OR 1=1 --"),),
    "forwarded": (("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")),
    "rewritten path": (("x-original-url", "/health/live"), ("x-rewrite-url", "/health/live")),
    "other method": (("x-http-method-override", "GET"),),
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with RunningGateway(tmp_path / "data", arguments=("--demo",)) as running:
        yield running


async def test_no_spelling_of_a_path_gets_past_the_door(gateway: RunningGateway) -> None:
    refusals: dict[tuple[str, str], set[bytes]] = {}
    for name, headers in _CREDENTIALS.items():
        for path in _PATHS:
            for method in ("GET", "POST"):
                body = _BODY if method == "POST" else b""
                answer = await gateway.client.request(method, path, headers=headers, body=body)
                assert answer.status in (400, 401, 404, 405), (name, method, path)
                if answer.status == 401:
                    refusals.setdefault((method, path), set()).add(answer.body)
    assert refusals
    assert {len(bodies) for bodies in refusals.values()} == {1}


async def test_a_key_of_another_scope_is_refused(gateway: RunningGateway) -> None:
    secret = (await gateway.command("keys", "create", "boss", "--scope", "admin")).strip()
    answer = await gateway.client.request(
        "POST", "/api/chat/custom", headers=(("authorization", f"Bearer {secret}"),), body=_BODY
    )
    assert answer.status in (401, 403)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "", "a b"])
async def test_an_odd_host_changes_nothing(gateway: RunningGateway, host: str) -> None:
    lines = ("POST /api/chat/custom HTTP/1.1", f"Host: {host}", f"Content-Length: {len(_BODY)}", "Connection: close")
    head = "\r\n".join((*lines, "", ""))
    answer = await (await gateway.client.send_bytes(head.encode() + _BODY)).finish()
    assert answer.status in (400, 401)


async def test_the_weaker_variant_would_be_noticed(gateway: RunningGateway) -> None:
    """With the demo's key the same request is answered: it is the key that keeps the others out."""
    key = (gateway.data_dir / "demo-key").read_text().strip()
    headers = (("authorization", f"Bearer {key}"),)
    answer = await gateway.client.request("POST", "/api/chat/custom", headers=headers, body=_BODY)
    assert answer.status == 200
    for path in _PUBLIC:
        assert (await gateway.client.request("GET", path)).status == 200
