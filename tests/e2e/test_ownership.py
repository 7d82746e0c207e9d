"""Who may use which model: two owners and the operator against every kind of model, in both lookups."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing.client import RawResponse
from gateway.testing.postgrest import PostgrestStandIn
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

CANARY = "sk-canary-7f3a9b1c5d2e"
OWNERS = {
    "alice": "a11ce000-0000-4000-8000-000000000001",
    "bob": "b0b00000-0000-4000-8000-000000000002",
    "operator": None,
}
MODELS = {
    (owner, sharing): f"{number:08d}-0000-4000-8000-000000000000"
    for number, (owner, sharing) in enumerate((o, s) for o in OWNERS for s in ("private", "public"))
}
UNKNOWN = "99999999-0000-4000-8000-000000000000"
EVERYTHING = [*MODELS.values(), UNKNOWN]


def allowed(caller: str) -> set[str]:
    """What the rule says: a model is shared, or the owners are equal (null equals null)."""
    return {model_id for (owner, sharing), model_id in MODELS.items() if sharing == "public" or owner == caller}


class House:
    """A running gateway with everybody's models and keys."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.keys = keys

    async def ask(self, model_id: str, key: str | None) -> RawResponse:
        return await self.gateway.client.chat(model_id, key=key)

    async def ask_all(self, key: str | None) -> dict[str, RawResponse]:
        return {model_id: await self.ask(model_id, key) for model_id in EVERYTHING}


@asynccontextmanager
async def house(data_dir: Path, lookup: str, **environ: str) -> AsyncIterator[House]:
    async with ScriptedUpstream() as upstream, PostgrestStandIn() as project:
        base_url = upstream.play("case", stream(*chat_events("yes"), pause=0.0))
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', **environ}
        models = []
        for (owner, sharing), model_id in MODELS.items():
            row: dict[str, Any] = {
                "id": model_id,
                "user_id": OWNERS[owner],
                "sharing": sharing,
                "name": f"{owner} {sharing}",
                "base_url": base_url,
                "model_id": "m",
            }
            project.add({**row, "api_key": CANARY, "description": "", "context_length": 4096})
            models.append(NewModel(api_key=Secret(CANARY), **row))
        if lookup == "supabase":
            models = []
            environ["GATEWAY_PLUGINS__SUPABASE__URL"] = project.origin
            environ["GATEWAY_PLUGINS__SUPABASE__SERVICE_ROLE_KEY"] = project.service_role_key
        owned = {**OWNERS, "expired": OWNERS["alice"], "revoked": OWNERS["alice"]}
        keys = await seed(data_dir, environ, models=models, keys=owned, expired=["expired"])
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield House(gateway, upstream, keys)


def refusal(response: RawResponse) -> tuple[Any, ...]:
    """All that a client can tell one refusal from another by."""
    headers = [(name, value) for name, value in response.headers if name not in ("date", "x-request-id")]
    return response.status, tuple(headers), response.body, response.complete


@pytest.mark.parametrize("lookup", ["registry", "supabase"])
async def test_only_allowed_models_answer_and_the_rest_are_refused_alike(tmp_path, lookup):
    async with house(tmp_path, lookup) as here:
        answers = {caller: await here.ask_all(here.keys[caller]) for caller in OWNERS}
        asked = len(here.upstream.seen("case"))
    for caller, responses in answers.items():
        answered = {model_id for model_id, response in responses.items() if response.status == 200}
        assert answered == allowed(caller), caller
        assert all(responses[model_id].body == b"yes" for model_id in answered)
    refusals = {
        refusal(response) for responses in answers.values() for response in responses.values() if response.status != 200
    }
    [(status, _, body, complete)] = refusals
    assert (status, complete) == (500, True)
    assert body == b'{"message":"Cannot coerce the result to a single JSON object"}'
    assert asked == sum(len(allowed(caller)) for caller in OWNERS), "a refused model's upstream was asked"


@pytest.mark.parametrize("lookup", ["registry", "supabase"])
async def test_a_name_is_a_malformed_id_whoever_asks(tmp_path, lookup):
    async with house(tmp_path, lookup) as here:
        refusals = {refusal(await here.ask("alice private", here.keys[caller])) for caller in OWNERS}
    [(status, _, body, _)] = refusals
    assert (status, body) == (500, b'{"message":"invalid input syntax for type uuid: \\"alice private\\""}')


async def test_nobody_is_told_why_a_key_is_refused(tmp_path):
    async with house(tmp_path, "registry") as here:
        await here.gateway.command("keys", "revoke", "revoked")
        mine = MODELS["alice", "private"]
        good = here.keys["alice"]
        async with asyncio.timeout(20):
            while (await here.ask(mine, here.keys["revoked"])).status == 200:
                await asyncio.sleep(0.1)
        mistyped = good[:-1] + ("x" if good[-1] != "x" else "y")
        tried = [here.keys["revoked"], here.keys["expired"], mistyped, "nonsense", None]
        refusals = {refusal(await here.ask(model_id, key)) for key in tried for model_id in (mine, UNKNOWN, "abc")}
        assert (await here.ask(mine, good)).status == 200
    [(status, headers, body, _)] = refusals
    assert (status, body) == (401, b'{"message":"Authentication required."}')
    assert ("content-type", "text/plain;charset=UTF-8") in headers


@pytest.mark.parametrize("lookup", ["registry", "supabase"])
async def test_the_open_route_answers_anybody_for_any_model(tmp_path, lookup):
    async with house(tmp_path, lookup, GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE="true") as here:
        responses = await here.ask_all(None)
    assert {model_id for model_id, response in responses.items() if response.status == 200} == set(MODELS.values())
    assert responses[UNKNOWN].json() == {"message": "Cannot coerce the result to a single JSON object"}


async def test_no_file_and_no_log_holds_a_credential(tmp_path):
    async with house(tmp_path, "registry") as here:
        for key in here.keys.values():
            await here.ask_all(key)
        bodies = {seen.request.header("authorization") for seen in here.upstream.seen("case")}
        files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        await here.gateway.stop()
        files |= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert bodies == {f"Bearer {CANARY}"}, "the canary was in use"
    secrets = [CANARY, *here.keys.values()]
    found = [(path.name, secret) for path, content in files.items() for secret in secrets if secret.encode() in content]
    assert found == []
    assert {"gateway.db", "serve.log"} <= {path.name for path in files}
