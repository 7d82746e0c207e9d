"""Routes on the real server: who is asked, by size, condition, weight and affinity, and who is not."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import NewModel, NewRoute, StoredTarget
from gateway.terms import RouteOptions
from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
MODELS: Mapping[str, Mapping[str, object]] = {
    "small": {"context_length": 1000},
    "large": {"context_length": 100_000},
    "a": {},
    "b": {},
    "c": {},
    "sick": {},
    "theirs": {"sharing": "private", "user_id": OWNER},
}
"""Each answers with its own name, but `sick`."""


def id_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def to(name: str, weight: float = 1.0, priority: int = 0, *when: str) -> StoredTarget:
    return StoredTarget(id_of(name), weight, priority, when)


ROUTES = (
    NewRoute(name="by-size", targets=[to("small"), to("large")]),
    NewRoute(
        name="by-condition",
        targets=[
            to("a", 1, 0, "tag:cheap"),
            to("b", 1, 0, "header:x-team=red"),
            to("c", 1, 0, "key:second"),
        ],
    ),
    NewRoute(name="canary", strategy="weighted", targets=[to("a", 9), to("b", 1)]),
    NewRoute(name="grouped", strategy="weighted", targets=[to("a", 1, 1), to("sick", 9), to("sick-too", 1)]),
    NewRoute(name="stuck", strategy="sticky", targets=[to("a"), to("b"), to("c")]),
    NewRoute(
        name="session",
        strategy="sticky",
        targets=[to("a"), to("b"), to("c")],
        options=RouteOptions(affinity="header:x-session"),
    ),
    NewRoute(name="mixed", targets=[to("theirs"), to("a")]),
    NewRoute(name="not-mine", targets=[to("a")], user_id=OWNER),
    NewRoute(name="only-theirs", targets=[to("theirs")]),
    NewRoute(name="unknown-strategy", strategy="best", targets=[to("a")]),
)


class Here:
    """The running gateway and its upstream."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, keys: Mapping[str, str]) -> None:
        self.gateway, self.upstream, self.keys = gateway, upstream, keys

    async def ask(
        self,
        model: str,
        text: str = "Hi",
        *,
        key: str = "one",
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> RawResponse:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": text}], **more}
        sent = [("authorization", f"Bearer {self.keys[key]}"), *(headers or {}).items()]
        return await self.gateway.client.request(
            "POST", "/v1/chat/completions", headers=sent, body=json.dumps(body).encode()
        )

    async def who(self, model: str, *arguments: str, **more: object) -> str:
        """The name of the model that answered."""
        response = await self.ask(model, *arguments, **more)  # type: ignore[arg-type]
        assert response.status == 200, response.body
        return next(name for name in MODELS if f'"{name}"'.encode() in response.body)

    async def get(self, path: str, key: str = "one") -> dict[str, object]:
        sent = [("authorization", f"Bearer {self.keys[key]}")]
        found: dict[str, object] = json.loads((await self.gateway.client.request("GET", path, headers=sent)).body)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    data_dir = tmp_path_factory.mktemp("routes") / "data"
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(
                id=id_of(name),
                name=name,
                model_id="up",
                base_url=upstream.play(name, stream(*chat_events(name), pause=0)),
                **{"context_length": 50_000, "sharing": "public", **fields},  # type: ignore[arg-type]
            )
            for name, fields in {**MODELS, "sick-too": {}}.items()
        ]
        for name in ("sick", "sick-too"):
            upstream.play(name, reply(500, b"no"))
        keys = await seed(
            data_dir,
            environ,
            models=models,
            routes=ROUTES,
            keys={"one": None, "second": None, "owner": OWNER, "admin": None},
            admins=["admin"],
        )
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield Here(gateway, upstream, keys)


async def test_a_context_too_long_goes_to_the_larger_model(here: Here) -> None:
    assert await here.who("by-size") == "small"
    assert await here.who("by-size", "x" * 8000) == "large"
    assert await here.who("by-size", max_tokens=999) == "large"
    assert await here.who("small", "x" * 8000) == "small"


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ({"headers": {"x-gateway-tags": "slow, cheap"}}, "a"),
        ({"metadata": {"tags": "cheap"}}, "a"),
        ({"headers": {"X-Team": "red"}}, "b"),
        ({"key": "second"}, "c"),
        ({"key": "second", "headers": {"x-team": "red"}}, "b"),
    ],
)
async def test_conditions_choose_by_tag_header_and_key(here: Here, asked: dict[str, object], answers: str) -> None:
    assert await here.who("by-condition", **asked) == answers


async def test_a_request_that_no_target_takes_is_not_found(here: Here) -> None:
    refused = await here.ask("by-condition", headers={"x-team": "blue"})
    assert refused.status == 404
    assert json.loads(refused.body)["error"]["code"] == "model_not_found"


async def test_a_canary_gets_some_and_not_most(here: Here) -> None:
    shares = Counter([await here.who("canary") for _ in range(60)])
    # A share of a tenth: none at all in 60, or a half, happens once in 500 runs and once in 10^13.
    assert set(shares) <= {"a", "b"}
    assert shares["a"] > shares["b"]


async def test_a_lower_priority_answers_when_the_higher_is_exhausted(here: Here) -> None:
    assert await here.who("grouped") == "a"


async def test_a_key_sticks_to_its_target_and_so_does_a_session(here: Here) -> None:
    for key in ("one", "second"):
        assert len({await here.who("stuck", key=key) for _ in range(4)}) == 1
    sessions = {name: {await here.who("session", headers={"x-session": name}) for _ in range(2)} for name in "12345678"}
    assert all(len(targets) == 1 for targets in sessions.values())
    assert len(set().union(*sessions.values())) > 1


async def test_targets_the_caller_may_not_use_are_left_out(here: Here) -> None:
    assert await here.who("mixed") == "a"
    assert await here.who("theirs", key="owner") == "theirs"
    for route in ("only-theirs", "not-mine", id_of("not-mine")):
        assert (await here.ask(route)).status == 404


async def test_the_list_of_models_holds_the_routes_that_can_be_asked_for(here: Here) -> None:
    listed = {one["id"]: one for one in (await here.get("/v1/models"))["data"]}  # type: ignore[attr-defined]
    assert {"by-size", "canary", "mixed", "small"} <= set(listed)
    assert not {"only-theirs", "not-mine", "theirs"} & set(listed)
    assert (listed["by-size"]["owned_by"], listed["by-size"]["context_length"]) == ("gateway", 100_000)
    assert await here.get("/v1/models/by-size") == listed["by-size"]


async def test_a_strategy_that_nobody_provides_is_told(here: Here) -> None:
    refused = await here.ask("unknown-strategy")
    assert refused.status == 503
    assert b'No enabled plugin provides the strategy \\"best\\".' in refused.body


async def test_explain_tells_who_is_tried_and_why_others_are_not(here: Here) -> None:
    url = f"http://127.0.0.1:{here.gateway.port}"
    told = json.loads(
        await here.gateway.command("explain", "-m", "by-condition", "--tag", "cheap", "--url", url, "--json")
    )
    assert (told["route"], told["strategy"], told["refused"]) == ("by-condition", "ordered", None)
    assert [(one["name"], one["excluded"]) for one in told["candidates"]] == [
        ("a", None),
        ("b", "the condition header:x-team=red does not hold"),
        ("c", "the condition key:second does not hold"),
    ]
    [theirs] = [
        one["excluded"]
        for one in json.loads(await here.gateway.command("explain", "-m", "mixed", "--url", url, "--json"))[
            "candidates"
        ]
        if one["name"] == "theirs"
    ]
    assert theirs == "the caller neither owns it nor has it shared"


async def test_a_route_is_tested_by_one_call_to_each_target(here: Here) -> None:
    before = len(here.upstream.seen("small")), len(here.upstream.seen("large"))
    reports = json.loads(await here.gateway.command("routes", "test", "by-size", "--json"))
    assert [(report["name"], report["works"]) for report in reports] == [("small", True), ("large", True)]
    assert (len(here.upstream.seen("small")), len(here.upstream.seen("large"))) == (before[0] + 1, before[1] + 1)


async def test_a_route_that_is_added_while_the_gateway_runs_is_served(here: Here) -> None:
    await here.gateway.command("routes", "add", "late", "--target", "b")
    async with asyncio.timeout(30):
        while (asked := await here.ask("late")).status == 404:
            await asyncio.sleep(0.05)
    assert b'"b"' in asked.body
