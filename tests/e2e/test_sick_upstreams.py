"""A route over three upstreams of different dialects, each of them sick in turn while clients go on asking."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from control_plane import Admin, config
from gemini_streams import HEAD, chunk, counted, event, text
from lines import written
from seeding import seed

from gateway.registry import ModelStore, NewModel, NewRoute, RouteStore, StoredTarget
from gateway.registry.database import Database
from gateway.settings import load_settings
from gateway.terms import Hedge, RouteOptions
from gateway.testing import canned_messages, faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

PROBE = Path(__file__).parents[1] / "probe.py"
pytestmark = pytest.mark.asyncio(loop_scope="module")
HANG = 60
CLIENTS = 6
ROUNDS = 3
PROVIDERS = {"chat": "openai", "messages": "anthropic", "gemini": "gemini"}
GARBAGE = stream(b"<html>", b"\xff\xfe{{{", b"</html>")
BEGUN = {
    "chat": faults.end_without_finish(),
    "messages": stream(canned_messages.start()),
    "gemini": stream(event({"candidates": [], **counted(totalTokenCount=4), **HEAD})),
}
"""What each says that begins an answer and ends it without a word."""
SICK = {
    "unreachable": None,
    "killed": faults.reset_before_head(),
    "slow": faults.stall_before_first_event(),
    "limited": reply(429, b'{"error":{"message":"slow down"}}', {"retry-after": "1"}),
    "refused": reply(401, b'{"error":{"message":"bad key"}}'),
    "unpaid": reply(402, b'{"error":{"message":"no money"}}'),
    "broken": reply(500, b'{"error":{"message":"oh"}}'),
    "poisoned": GARBAGE,
    "empty": BEGUN,
}
NOT_DIALLED = {
    "denied": "http://127.0.0.2:9/v1",
    "unresolved": "http://nobody.invalid/v1",
    "other-scheme": "ftp://127.0.0.1/v1",
    "no-url": "http://[::1/v1",
}
"""Base URLs to which nothing is ever sent."""
CASES = [(fault, sick) for fault in SICK for sick in PROVIDERS]
"""Every sickness meets every dialect, on a route of its own."""


def route_of(fault: str, sick: str) -> str:
    """The route whose first target falls ill."""
    return f"{fault}-{sick}"


def answer(name: str):
    """What the upstream of this kind says when it is well."""
    words = f"from {name}"
    if name == "messages":
        return stream(canned_messages.start(), *canned_messages.text(words), *canned_messages.end(), pause=0)
    if name == "gemini":
        return stream(chunk(text(words)), chunk(finish="STOP"), pause=0)
    return stream(*chat_events(words), pause=0)


def illness(fault: str, sick: str):
    """What the upstream of this kind says when it has that."""
    return SICK[fault][sick] if fault == "empty" else SICK[fault]


class Clinic:
    def __init__(self, gateway, upstream, records, keys):
        self.gateway, self.upstream = gateway, upstream
        self.admin = Admin(gateway)
        self._records, self._key = records, keys["one"]

    async def ask(self, route: str, *, streamed: bool):
        """The status, and whose answer it was."""
        body = {"model": route, "stream": streamed, "messages": [{"role": "user", "content": "Hi"}]}
        headers = [("authorization", f"Bearer {self._key}"), ("content-type", "application/json")]
        sent = json.dumps(body).encode()
        async with asyncio.timeout(HANG):
            response = await self.gateway.client.request("POST", "/v1/chat/completions", headers=headers, body=sent)
        assert response.complete, response
        self.last = response.header("x-request-id")
        found = [name for name in PROVIDERS if f"from {name}".encode() in response.body]
        return response.status, "+".join(found)

    async def besiege(self, route: str, times: int):
        """Several clients ask at once, over and over, half of them for streams."""

        async def client(number: int):
            return [await self.ask(route, streamed=(number + turn) % 2 == 0) for turn in range(times)]

        return [one for answers in await asyncio.gather(*map(client, range(CLIENTS))) for one in answers]

    def seen(self, route: str, name: str) -> int:
        return len(self.upstream.seen(f"{route}-{name}"))

    async def health(self, model: str):
        answer = await self.gateway.client.request(
            "GET", "/health/models", headers=[("authorization", f"Bearer {self.admin.key}")]
        )
        assert answer.status == 200, answer.body
        return next(one for one in answer.json()["models"] if one["model"] == model)

    async def failed(self, route: str, answered: int):
        """The usage records of attempts that failed, once so many exchanges are accounted for."""
        async with asyncio.timeout(HANG):
            while len({r["exchange_id"] for r in self.records(route) if r["outcome"] == "ok"}) < answered:
                await asyncio.sleep(0.05)
        return [record for record in self.records(route) if record["outcome"] != "ok"]

    def records(self, route: str):
        """The usage records of a route's attempts so far."""
        return [record for record in written(self._records) if record["route"] == route]


def _denied(route: str, kind: str) -> str:
    return NOT_DIALLED.get(route.removesuffix("-over"), "") if kind == "chat" else ""


def _first(sick: str) -> list[str]:
    return [sick, *(kind for kind in PROVIDERS if kind != sick)]


async def _routes(data_dir, environ, names):
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        ids = {model.name: model.id for model in await ModelStore(database).all()}
        for route, (kinds, hedge) in names.items():
            targets = [StoredTarget(ids[f"{route}-{kind}"]) for kind in kinds]
            await RouteStore(database).add(NewRoute(name=route, targets=targets, options=RouteOptions(hedge=hedge)))
    finally:
        await database.aclose()


@asynccontextmanager
async def clinic_of(folder):
    data_dir, records = folder / "data", folder / "records"
    environ = {
        **config(folder, PROBE, more=f'[plugins.probe]\nrecords = "{records}"\n'),
        "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
    }
    routes = {route_of(*case): (_first(case[1]), None) for case in CASES}
    routes["mistaken"] = (list(PROVIDERS), None)
    routes["hedged"] = (["chat", "messages"], Hedge(percentile=50, budget=1))
    routes["hopeless"] = (["chat"], None)
    for name in NOT_DIALLED:
        routes[name], routes[f"{name}-over"] = (["chat"], None), (["chat", "gemini"], None)
    async with AsyncExitStack() as upstreams:
        upstream = await upstreams.enter_async_context(ScriptedUpstream())
        dying = {kind: await upstreams.enter_async_context(ScriptedUpstream()) for kind in PROVIDERS}
        dies = {(route_of("unreachable", kind), kind): one for kind, one in dying.items()}
        models = [
            NewModel(
                name=f"{route}-{kind}",
                base_url=_denied(route, kind)
                or dies.get((route, kind), upstream).play(f"{route}-{kind}", answer(kind)),
                model_id=f"{route}-{kind}",
                provider=PROVIDERS[kind],
                timeouts={"first": 0.4 if route.startswith("slow-") else 20},
            )
            for route, (kinds, _) in routes.items()
            for kind in kinds
        ]
        keys = await seed(data_dir, environ, models=models, keys={"one": None, "boss": None}, admins=["boss"])
        await _routes(data_dir, environ, routes)
        async with RunningGateway(data_dir, environ=environ) as gateway:
            clinic = Clinic(gateway, upstream, records, keys)
            clinic.dying = dying
            yield clinic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(tmp_path_factory):
    async with clinic_of(tmp_path_factory.mktemp("clinic")) as made:
        yield made


@pytest.mark.parametrize(("fault", "sick"), CASES)
async def test_every_request_is_answered_by_a_well_target_and_the_sick_one_is_left_alone(clinic, fault, sick):
    route = route_of(fault, sick)
    assert await clinic.ask(route, streamed=True) == (200, sick)
    if fault == "unreachable":
        await clinic.dying[sick].__aexit__(None, None, None)
    else:
        clinic.upstream.play(f"{route}-{sick}", illness(fault, sick))
    before = clinic.seen(route, sick)
    answers = await clinic.besiege(route, ROUNDS)
    assert {status for status, _ in answers} == {200}
    assert all(who and who != sick and "+" not in who for _, who in answers)
    failed = await clinic.failed(route, 1 + len(answers))
    assert {record["model_name"] for record in failed} == {f"{route}-{sick}"}
    # A pooled connection that had died is replaced by a fresh one at the same target; else the next one is asked.
    tries = {(1, "first"), (2, "retry")} if fault == "killed" else {(1, "first")}
    assert {(record["number"], record["reason"]) for record in failed} <= tries
    assert {r["reason"] for r in clinic.records(route) if r["number"] > 1 and r["outcome"] == "ok"} == {"failover"}
    if fault != "unreachable":
        assert clinic.seen(route, sick) - before == len(failed)
    # The first wave may be all of the clients, before anybody knows; then one probe at a time, a second and more apart.
    assert len(failed) <= 2 * CLIENTS
    told = await clinic.health(f"{route}-{sick}")
    unwell = "credential" if fault in ("refused", "unpaid") else "state"
    assert told[unwell] not in ("ok", "closed") or (fault == "limited" and told["last_error"] == "rate_limit")


PROBED = [("killed", "messages"), ("limited", "chat"), ("poisoned", "gemini")]


@pytest.mark.parametrize(("fault", "sick"), PROBED)
async def test_the_sick_target_is_probed_and_takes_its_place_again(clinic, fault, sick):
    route = route_of(fault, sick)
    clinic.upstream.play(f"{route}-{sick}", answer(sick))
    async with asyncio.timeout(HANG):
        while (await clinic.ask(route, streamed=True))[1] != sick:
            await asyncio.sleep(0.1)
    assert (await clinic.health(f"{route}-{sick}"))["state"] == "closed"
    assert await clinic.ask(route, streamed=False) == (200, sick)


async def test_a_clients_own_mistake_is_answered_once_and_punishes_nobody(clinic):
    first = next(iter(PROVIDERS))
    clinic.upstream.play(f"mistaken-{first}", reply(400, b'{"error":{"message":"no such parameter"}}'))
    answers = await clinic.besiege("mistaken", 5)
    assert {status for status, _ in answers} == {400}
    assert [clinic.seen("mistaken", name) for name in PROVIDERS] == [len(answers), 0, 0]
    assert (await clinic.health(f"mistaken-{first}"))["failures"] == 0
    clinic.upstream.play(f"mistaken-{first}", answer(first))
    assert await clinic.ask("mistaken", streamed=True) == (200, first)


async def test_an_only_target_is_asked_however_sick_it_is(clinic):
    clinic.upstream.play("hopeless-chat", reply(500, b"{}"))
    assert {status for status, _ in await clinic.besiege("hopeless", 2)} == {500}
    assert (await clinic.health("hopeless-chat"))["state"] != "closed"
    clinic.upstream.play("hopeless-chat", answer("chat"))
    assert await clinic.ask("hopeless", streamed=True) == (200, "chat")


@pytest.mark.parametrize("route", NOT_DIALLED)
async def test_what_the_gateway_itself_will_not_dial_is_not_retried_there_and_another_target_answers(clinic, route):
    assert (await clinic.ask(route, streamed=True))[0] == 502
    async with asyncio.timeout(HANG):
        while not (records := clinic.records(route)):
            await asyncio.sleep(0.05)
    assert [(record["number"], record["reason"]) for record in records] == [(1, "first")]
    assert await clinic.ask(f"{route}-over", streamed=True) == (200, "gemini")


async def test_a_limit_binds_new_exchanges_of_an_only_target(clinic):
    limited = reply(429, b'{"error":{"message":"slow down"}}', {"retry-after": "30"})
    clinic.upstream.play("hopeless-chat", limited)
    before = clinic.seen("hopeless", "chat")
    answers = await clinic.besiege("hopeless", 10)
    assert {status for status, _ in answers} == {429}
    assert clinic.seen("hopeless", "chat") - before <= CLIENTS, "who had not begun was told to wait"
    assert 0 < (await clinic.health("hopeless-chat"))["held"] <= 30


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_hedge_answers_and_the_losers_socket_is_closed(clinic, streamed):
    clinic.upstream.play("hedged-chat", answer("chat"))
    for turn in range(16):
        assert (await clinic.ask("hedged", streamed=turn % 2 == 0))[0] == 200
    clinic.upstream.play("hedged-chat", faults.stall_before_first_event())
    assert await clinic.ask("hedged", streamed=streamed) == (200, "messages")
    loser = clinic.upstream.seen("hedged-chat")[-1]
    await asyncio.wait_for(loser.closed(), HANG)
    async with asyncio.timeout(HANG):
        while len(exchange := [r for r in clinic.records("hedged") if r["exchange_id"] == clinic.last]) < 2:
            await asyncio.sleep(0.05)
    assert sorted((r["number"], r["reason"], r["outcome"]) for r in exchange) == [
        (1, "first", "superseded"),
        (2, "hedge", "ok"),
    ]
    assert (await clinic.health("hedged-chat"))["failures"] == 0


async def test_health_shows_in_the_command_line_the_metrics_and_explain(clinic):
    route = route_of("refused", "gemini")
    model = f"{route}-gemini"
    url = f"http://127.0.0.1:{clinic.gateway.port}"
    table = await clinic.gateway.command("models", "health", "--url", url)
    row = next(line for line in table.splitlines() if line.startswith(f"{model} "))
    assert "refused" in row
    assert row.endswith("credential")
    headers = [("authorization", f"Bearer {clinic.admin.key}")]
    metrics = (await clinic.gateway.client.request("GET", "/metrics", headers=headers)).body.decode()
    assert f'gateway_model_credential{{model="{model}",provider="gemini",state="refused"}} 1' in metrics
    assert 'gateway_hedges_total{result="won"}' in metrics
    assert 'gateway_attempt_reasons_total{model="refused-' in metrics
    told = await clinic.admin.ask("POST", "/explain", json.dumps({"model": route}).encode())
    last = told.json()["candidates"][-1]
    assert (last["name"], last["cooling"], last["health"]["credential"]) == (model, True, "refused")
    condition = await clinic.admin.get("/health")
    assert model in {one["model"] for one in condition["stats"]["unwell"]}


async def test_only_an_admin_may_see_the_health_of_models(clinic):
    assert (await clinic.gateway.client.request("GET", "/health/models")).status == 401
    chat = [("authorization", f"Bearer {clinic._key}")]
    assert (await clinic.gateway.client.request("GET", "/health/models", headers=chat)).status == 403
