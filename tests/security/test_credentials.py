"""S4, S12: one extractor of credentials: a key gets the same decision wherever it stands, and all refusals are one."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.testing.running import RunningGateway

_BODY = json.dumps(
    {"chatSettings": {"model": "demo"}, "customModelId": "de300000-0000-4000-8000-000000000001"}
).encode()
_PLACES = {
    "authorization": "Bearer {}",
    "Authorization": "bearer  {} ",
    "x-api-key": "{}",
    "api-key": "{}",
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with RunningGateway(tmp_path / "data", arguments=("--demo",)) as running:
        yield running


async def _decision(gateway: RunningGateway, headers: Sequence[tuple[str, str]]) -> tuple[int | None, bytes]:
    answer = await gateway.client.request("POST", "/api/chat/custom", headers=headers, body=_BODY)
    return answer.status, b"" if answer.status not in (400, 401, 403) else answer.body


async def test_the_same_key_gets_the_same_decision_in_every_place(gateway: RunningGateway) -> None:
    good = (gateway.data_dir / "demo-key").read_text().strip()
    for key in (good, good[:-1] + "x", "nobody"):
        [decision] = {await _decision(gateway, [(name, form.format(key))]) for name, form in _PLACES.items()}
        assert (decision[0] == 401) == (key != good)
    assert decision == await _decision(gateway, [("authorization", f"Bearer {good}x")])


async def test_two_different_keys_are_refused_and_two_equal_ones_are_one(gateway: RunningGateway) -> None:
    good = (gateway.data_dir / "demo-key").read_text().strip()
    bearer = ("authorization", f"Bearer {good}")
    alone = await _decision(gateway, [bearer])
    assert await _decision(gateway, [bearer, ("x-api-key", good), ("api-key", good)]) == alone
    for other in (("x-api-key", "another"), ("api-key", "another"), ("authorization", "Bearer another")):
        assert (await _decision(gateway, [bearer, other]))[0] == 400
        assert (await _decision(gateway, [other, bearer]))[0] == 400


async def test_a_key_in_another_place_is_none(gateway: RunningGateway) -> None:
    good = (gateway.data_dir / "demo-key").read_text().strip()
    none = await _decision(gateway, [])
    assert none[0] == 401
    for name, value in (
        ("cookie", f"key={good}; token={good}; session={good}"),
        ("authorization", f"Basic {good}"),
        ("authorization", good),
        ("proxy-authorization", f"Bearer {good}"),
        ("x-auth-token", good),
    ):
        assert await _decision(gateway, [(name, value)]) == none
    answer = await gateway.client.request("POST", f"/api/chat/custom?key={good}&api_key={good}", body=_BODY)
    assert answer.status == 401
    assert good not in gateway.log
