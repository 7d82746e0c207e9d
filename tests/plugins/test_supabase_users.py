"""Users of a Supabase project through the whole gateway: who gets in, to which models; and all refusals are one."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from supabase_project import ALICE, BOB, SECRET, Signer, SupabaseProject, by_secret, claims, cookies, written

from gateway.registry import Database, ModelStore, NewModel
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

CANARY = "sk-canary-7f3a9b1c5d2e"
OWNERS = {"alice": ALICE, "bob": BOB, "operator": None}
MODELS = {
    (owner, sharing): f"{number:08d}-0000-4000-8000-000000000000"
    for number, (owner, sharing) in enumerate((o, s) for o in OWNERS for s in ("private", "public"))
}
UNKNOWN = "99999999-0000-4000-8000-000000000000"
COOKIE = "sb-127-auth-token"
ES, RS, NEW = Signer.ec("es"), Signer.rsa("rs"), Signer.ec("new")
Headers = Sequence[tuple[str, str]]


class House:
    """A running gateway in front of a project, with everybody's models."""

    def __init__(self, gateway: RunningGateway, project: SupabaseProject) -> None:
        self.gateway = gateway
        self.project = project

    async def ask(self, headers: Headers, model_id: str = MODELS["alice", "private"]) -> RawResponse:
        body = {"chatSettings": {"model": "m"}, "messages": [], "customModelId": model_id}
        return await self.gateway.client.request(
            "POST", "/api/chat/custom", headers=headers, body=msgspec.json.encode(body)
        )

    async def admitted(self, headers: Headers) -> set[str]:
        """The models that answer."""
        answers = {model_id: await self.ask(headers, model_id) for model_id in (*MODELS.values(), UNKNOWN)}
        refused = {refusal(answer) for answer in answers.values() if answer.status != 200}
        assert len(refused) == 1, "a forbidden model can be told from an unknown one"
        return {model_id for model_id, answer in answers.items() if answer.status == 200}


@asynccontextmanager
async def house(data_dir: Path, *, lookup: bool, **settings: str) -> AsyncIterator[House]:
    async with ScriptedUpstream() as upstream, SupabaseProject(ES, RS) as project:
        base_url = upstream.play("case", stream(*chat_events("yes"), pause=0.0))
        rows = [_row(owner, sharing, model_id, base_url) for (owner, sharing), model_id in MODELS.items()]
        named = {"url": project.origin, "users": "true", **settings}
        if lookup:
            named["service_role_key"] = project.service_role_key
        environ = {f"GATEWAY_PLUGINS__SUPABASE__{name.upper()}": value for name, value in named.items()}
        environ |= {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_LOG_LEVEL": "debug"}
        for row in rows if lookup else ():
            project.add(row)
        if not lookup:
            await _store(data_dir, environ, rows)
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield House(gateway, project)
            assert CANARY not in gateway.log


def _row(owner: str, sharing: str, model_id: str, base_url: str) -> dict[str, Any]:
    texts = {"name": f"{owner} {sharing}", "base_url": base_url, "model_id": "m", "api_key": CANARY}
    return {"id": model_id, "user_id": OWNERS[owner], "sharing": sharing, **texts}


async def _store(data_dir: Path, environ: dict[str, str], rows: list[dict[str, Any]]) -> None:
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        for row in rows:
            await ModelStore(database).add(NewModel(**{**row, "api_key": Secret(row["api_key"])}))
    finally:
        await database.aclose()


def bearer(token: str) -> Headers:
    return [("authorization", f"Bearer {token}")]


def refusal(response: RawResponse) -> tuple[Any, ...]:
    """All that a client can tell one refusal from another by."""
    headers = [(name, value) for name, value in response.headers if name not in ("date", "x-request-id")]
    return response.status, tuple(headers), response.body, response.complete


def allowed(user: str) -> set[str]:
    """What the policies of the table say: `user_id = auth.uid()` or `sharing <> 'private'`."""
    return {one for (owner, sharing), one in MODELS.items() if OWNERS[owner] == user or sharing != "private"}


@pytest.mark.parametrize("lookup", [True, False], ids=["live project", "own tables"])
async def test_users_see_their_own_models_and_the_shared_ones(tmp_path: Path, lookup: bool) -> None:
    async with house(tmp_path, lookup=lookup) as here:
        for user in (ALICE, BOB):
            token = ES.token(claims(here.project.origin, user))
            assert await here.admitted(bearer(token)) == allowed(user)
            assert await here.admitted([("cookie", cookies(COOKIE, token)["base64 in pieces"])]) == allowed(user)


async def test_exactly_the_good_tokens_pass_and_all_refusals_are_one(tmp_path: Path) -> None:
    async with house(tmp_path, lookup=True) as here:
        origin = here.project.origin
        said = claims(origin)
        good = {
            "ES256": ES.token(said),
            "RS256": RS.token(said),
            "in capitals": ES.token(claims(origin, ALICE.upper())),
        }
        for how, token in good.items():
            for name, form in (("authorization", "Bearer {}"), ("x-api-key", "{}"), ("api-key", "{}")):
                assert (await here.ask([(name, form.format(token))])).status == 200, (how, name)
        for form, header in cookies(COOKIE, good["ES256"]).items():
            assert (await here.ask([("cookie", header)])).status == 200, form
        nobody = refusal(await here.ask([]))
        assert nobody[0] == 401
        assert nobody[2] == b'{"message":"Authentication required."}'
        for how, headers in bad(origin, good["ES256"]).items():
            assert refusal(await here.ask(headers)) == nobody, how
        assert all(token not in here.gateway.log for token in good.values())


def bad(origin: str, good: str) -> dict[str, Headers]:
    """Everything that is not a good token, in the header and in the cookie."""
    said, header = claims(origin), {"alg": "HS256", "kid": "es", "typ": "JWT"}
    parts = good.split(".")
    tokens = {
        "expired": ES.token(claims(origin, exp=int(time.time()) - 60)),
        "audience": ES.token(claims(origin, aud="anon")),
        "issuer": ES.token(claims("https://other.supabase.co")),
        "no subject": ES.token(claims(origin, sub=None)),
        "none": written({"alg": "none"}, said),
        "none with key id": written({"alg": "none", "kid": "es"}, said),
        "key id": NEW.token(said),
        "another's key": NEW._replace(key_id="es").token(said),
        "another key's algorithm": RS._replace(key_id="es").token(said),
        "secret": by_secret(said),
        "truncated": good[:-10],
        "cut in half": good[: len(good) // 2],
        "without signature": f"{parts[0]}.{parts[1]}.",
        "tampered": ".".join((parts[0], NEW.token(claims(origin, BOB)).split(".")[1], parts[2])),
        "no token": "no-token",
    }
    for signer in (ES, RS):
        for how, key in signer.public_bytes().items():
            tokens[f"HS256 with {signer.algorithm}'s {how}"] = written({**header, "kid": signer.key_id}, said, key)
    cookie = cookies(COOKIE, good)["base64 in pieces"]
    return {
        **{f"{how}, header": bearer(token) for how, token in tokens.items()},
        **{f"{how}, cookie": [("cookie", cookies(COOKIE, token)["base64"])] for how, token in tokens.items()},
        **{f"wrong project, {form}": [("cookie", c)] for form, c in cookies("sb-other-auth-token", good).items()},
        "a piece is missing": [("cookie", cookie.replace(f"{COOKIE}.1=", "lost="))],
        "a bad header before a good cookie": [*bearer("no-token"), ("cookie", cookie)],
    }


async def test_secret_signs_for_a_project_that_has_one(tmp_path: Path) -> None:
    async with house(tmp_path, lookup=False, jwt_secret=SECRET) as here:
        origin = here.project.origin
        assert (await here.ask(bearer(by_secret(claims(origin))))).status == 200
        nobody = refusal(await here.ask([]))
        others = [by_secret(claims(origin), "x" * 40), by_secret(claims(origin, exp=1)), ES.token(claims(origin))]
        assert {refusal(await here.ask(bearer(token))) for token in others} == {nobody}
        assert here.project.fetches == 0
        assert SECRET not in here.gateway.log


async def test_rotated_key_is_followed_while_the_gateway_serves(tmp_path: Path) -> None:
    async with house(tmp_path, lookup=False) as here:
        old, new = (bearer(signer.token(claims(here.project.origin))) for signer in (ES, NEW))
        assert (await here.ask(old)).status == 200
        here.project.publish(ES, NEW)
        assert (await here.ask(new)).status == 200
        assert (await here.ask(old)).status == 200
        assert here.project.fetches == 2


async def test_nobody_gets_in_while_the_keys_cannot_be_had(tmp_path: Path) -> None:
    async with house(tmp_path, lookup=False) as here:
        here.project.status = 500
        token = ES.token(claims(here.project.origin))
        assert (await here.ask(bearer(token))).status == 503
        assert (await here.ask(bearer("gw-nobody"))).status == 401
        assert "supabase_keys_failed" in here.gateway.log


async def test_users_have_no_say_on_the_control_plane(tmp_path: Path) -> None:
    async with house(tmp_path, lookup=False) as here:
        client = here.gateway.client
        good, bad = (ES.token(claims(here.project.origin, exp=exp)) for exp in (4_000_000_000, 1))
        told = await client.request("GET", "/admin/plugins", headers=bearer(good))
        assert told.status == 403
        nobody = refusal(await client.request("GET", "/admin/plugins"))
        assert nobody[0] == 401
        assert refusal(await client.request("GET", "/admin/plugins", headers=bearer(bad))) == nobody


async def test_key_of_a_shared_model_is_shown_to_nobody(tmp_path: Path) -> None:
    """Not even when its upstream quotes it."""
    async with ScriptedUpstream() as upstream, SupabaseProject(ES) as project:
        quoted = msgspec.json.encode({"error": {"message": f"Your key {CANARY} has no credit."}})
        base_url = upstream.play("case", reply(402, quoted))
        project.add(_row("alice", "public", MODELS["alice", "public"], base_url))
        named = {"URL": project.origin, "USERS": "true", "SERVICE_ROLE_KEY": project.service_role_key}
        environ = {f"GATEWAY_PLUGINS__SUPABASE__{name}": value for name, value in named.items()}
        async with RunningGateway(tmp_path, environ={**environ, "GATEWAY_EGRESS__ALLOW": "127.0.0.1"}) as gateway:
            headers = bearer(ES.token(claims(project.origin, BOB)))
            answer = await House(gateway, project).ask(headers, MODELS["alice", "public"])
            assert answer.status == 402
            assert b"has no credit" in answer.body
            assert CANARY.encode() not in answer.body
            assert CANARY not in repr(answer.headers) + gateway.log
