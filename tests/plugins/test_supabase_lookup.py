"""Model lookup in a Supabase project, asked over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from loopback_upstream import Upstream, http

import gateway_supabase
from gateway import LookupFailed, ModelLookup, ModelNotFound, Principal, Route, Secret
from gateway.egress import EgressClient, EgressPolicy
from gateway_supabase.lookup import SupabaseLookup
from gateway_supabase.settings import Project, Settings

ID: Final = "11111111-1111-4111-8111-111111111111"
OWNER: Final = "22222222-2222-4222-8222-222222222222"
KEY: Final = "service-role-canary"
ROW: Final[dict[str, Any]] = {
    "id": ID,
    "user_id": OWNER,
    "folder_id": None,
    "created_at": "2024-01-01T00:00:00+00:00",
    "updated_at": None,
    "sharing": "private",
    "api_key": "sk-row-canary",
    "base_url": "http://upstream/v1",
    "description": "",
    "model_id": "m",
    "name": "Mock",
    "context_length": 4096,
}
SOMEBODY: Final = Principal("p1", owner=OWNER)
OPEN: Final = Principal("open", unrestricted=True)


class Log:
    """A logger that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _keep(self, event: str, **fields: object) -> None:
        self.lines.append(f"{event} {fields}")

    debug = info = warning = error = _keep


def answer(status: int, value: object) -> bytes:
    return http(status, msgspec.json.encode(value), {"content-type": "application/json"})


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "details": None, "hint": None, "message": message}


NO_ROWS: Final = answer(406, refusal("PGRST116", "Cannot coerce the result to a single JSON object"))


@pytest.fixture
async def egress() -> AsyncIterator[EgressClient]:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    yield client
    await client.aclose()


@pytest.fixture
def log() -> Iterator[Log]:
    kept = Log()
    yield kept
    assert "canary" not in repr(kept.lines)


def lookup(upstream: Upstream, egress: EgressClient, log: Log, *, cache: float = 0, timeout: float = 10) -> ModelLookup:
    return SupabaseLookup(Project(upstream.origin, Secret(KEY), timeout, cache), egress, log)


@contextmanager
def lookup_fails() -> Iterator[None]:
    with pytest.raises(LookupFailed) as caught:
        yield
    assert (caught.value.message, caught.value.status) == ("Model lookup failed.", 500)


async def test_project_is_asked_as_the_original_asked_it(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW)) as upstream:
        await lookup(upstream, egress, log).find(ID, SOMEBODY)
        (seen,) = upstream.received
    assert (seen.method, seen.target) == ("GET", f"/rest/v1/models?select=*&id=eq.{ID}")
    assert seen.header("accept") == "application/vnd.pgrst.object+json"
    assert seen.header("apikey") == KEY
    assert seen.header("authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("", ""),
        ("undefined", "undefined"),
        ("a b+c", "a+b%2Bc"),
        ("~!*'()-._", "%7E%21*%27%28%29-._"),
        ("é/&=#?%", "%C3%A9%2F%26%3D%23%3F%25"),
        ("\ud83c", "%EF%BF%BD"),
        ("🎉\r\n\x00", "%F0%9F%8E%89%0D%0A%00"),
    ],
)
async def test_any_id_is_written_as_url_search_params_write_it(
    egress: EgressClient, log: Log, name: str, sent: str
) -> None:
    async with Upstream(NO_ROWS) as upstream:
        assert await lookup(upstream, egress, log).find(name, SOMEBODY) is None
        (seen,) = upstream.received
    assert seen.target == f"/rest/v1/models?select=*&id=eq.{sent}"
    assert list(parse_qs(urlsplit(seen.target).query)) == ["select", "id"]


async def test_row_becomes_a_route_of_one(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW)) as upstream:
        route = await lookup(upstream, egress, log).find(ID, SOMEBODY)
    assert route is not None
    assert route.is_model
    (model,) = route.targets
    assert (model.id, model.name, model.model_id, model.base_url) == (ID, "Mock", "m", "http://upstream/v1")
    assert (model.owner, model.sharing, model.context_length, model.provider) == (OWNER, "private", None, "openai")
    assert model.api_key.reveal() == "sk-row-canary"
    assert SOMEBODY.may_use(model)
    assert not Principal("p2", owner="other").may_use(model)


@pytest.mark.parametrize(
    ("column", "value", "attribute", "expected"),
    [
        ("api_key", None, "api_key", Secret("")),
        ("api_key", "clé\n", "api_key", Secret("clé\n")),
        ("description", None, "description", ""),
        ("name", None, "name", ID),
        ("context_length", None, "context_length", None),
        ("context_length", True, "context_length", None),
        ("context_length", "8k", "context_length", None),
        ("base_url", None, "base_url", ""),
        ("model_id", 7, "model_id", ""),
        ("sharing", None, "sharing", "private"),
        ("sharing", 1, "sharing", "private"),
        ("sharing", "", "sharing", "private"),
        ("sharing", "public", "sharing", "public"),
        ("user_id", None, "owner", None),
        ("unknown_column", {"a": [1]}, "enabled", True),
    ],
)
async def test_odd_columns_do_no_harm(
    egress: EgressClient, log: Log, column: str, value: object, attribute: str, expected: object
) -> None:
    async with Upstream(answer(200, {**ROW, column: value})) as upstream:
        route = await lookup(upstream, egress, log).find(ID, SOMEBODY)
    assert route is not None
    assert getattr(route.targets[0], attribute) == expected


async def test_missing_columns_do_no_harm(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, {"id": ID, "user_id": OWNER})) as upstream:
        route = await lookup(upstream, egress, log).find(ID, SOMEBODY)
    assert route is not None
    assert route.targets[0].sharing == "private"


async def test_unknown_id_is_left_to_the_next_lookup(egress: EgressClient, log: Log) -> None:
    async with Upstream(NO_ROWS) as upstream:
        assert await lookup(upstream, egress, log).find(ID, SOMEBODY) is None


async def test_unknown_id_has_postgrests_words_on_the_open_route(egress: EgressClient, log: Log) -> None:
    async with Upstream(NO_ROWS) as upstream:
        with pytest.raises(ModelNotFound, match=r"^Cannot coerce the result to a single JSON object$"):
            await lookup(upstream, egress, log).find(ID, OPEN)


@pytest.mark.parametrize("principal", [SOMEBODY, OPEN])
async def test_malformed_id_has_postgres_words(egress: EgressClient, log: Log, principal: Principal) -> None:
    words = 'invalid input syntax for type uuid: "abc"'
    async with Upstream(answer(400, refusal("22P02", words))) as upstream:
        with pytest.raises(ModelNotFound) as caught:
            await lookup(upstream, egress, log).find("abc", principal)
    assert caught.value.message == words


BROKEN: Final = {
    "404 empty": http(404),
    "500 html": http(500, b"<html>oops</html>"),
    "401 invalid key": answer(401, {"message": "Invalid API key", "hint": "x"}),
    "401 quotes our key": answer(401, {"message": f"bad key {KEY}"}),
    "other code": answer(400, refusal("42703", "column models.id does not exist")),
    "code is no text": answer(400, {"code": 22, "message": "x"}),
    "200 html": http(200, b"<html>sk-row-canary</html>"),
    "200 empty": http(200),
    "200 list": answer(200, [ROW]),
    "200 null": answer(200, None),
    "200 no id": answer(200, {**ROW, "id": None}),
    "200 odd owner": answer(200, {**ROW, "user_id": 7}),
    "200 deep": http(200, b"[" * 100_000),
    "200 not utf-8": http(200, b'{"id":"\xff"}'),
    "200 too large": http(200, b'{"id":"' + b"x" * (2 << 20) + b'"}'),
    "300 list": answer(300, [ROW, ROW]),
    "307": http(307, b"", {"location": "/elsewhere"}),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "connection ends": b"",
    "not http": b"hello\r\n\r\n",
    "cut": http(200, b'{"id', content_length=100),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
async def test_everything_else_is_one_constant_failure(egress: EgressClient, log: Log, reply: bytes) -> None:
    async with Upstream(reply, ends=True) as upstream:
        with lookup_fails():
            await lookup(upstream, egress, log).find(ID, OPEN)
        assert len(upstream.received) == 1
    assert len(log.lines) == 1


async def test_project_that_is_down_is_a_failure(egress: EgressClient, log: Log) -> None:
    async with Upstream() as upstream:
        asked = lookup(upstream, egress, log)
    with lookup_fails():
        await asked.find(ID, SOMEBODY)


async def test_each_question_is_asked_once_and_none_fails_on_a_connection_that_was_kept(
    egress: EgressClient, log: Log
) -> None:
    async with Upstream(answer(200, ROW), ends=True) as upstream:
        ours = lookup(upstream, egress, log)
        assert await ours.find(ID, SOMEBODY)
        assert await ours.find(ID, SOMEBODY)
        assert len(upstream.received) == 2


async def test_project_that_is_silent_is_a_failure(egress: EgressClient, log: Log) -> None:
    async with Upstream(silent=True) as upstream:
        with lookup_fails():
            await lookup(upstream, egress, log, timeout=0.05).find(ID, SOMEBODY)


async def test_project_that_stops_in_its_answer_is_a_failure(egress: EgressClient, log: Log) -> None:
    async with Upstream(http(200, b'{"id', content_length=100)) as upstream:
        with lookup_fails():
            await lookup(upstream, egress, log, timeout=0.1).find(ID, SOMEBODY)


async def test_guard_decides_about_the_project_too(log: Log) -> None:
    egress = EgressClient(EgressPolicy())
    async with Upstream(answer(200, ROW)) as upstream:
        with lookup_fails():
            await lookup(upstream, egress, log).find(ID, SOMEBODY)
        assert upstream.accepted == 0
    await egress.aclose()


async def test_cancelling_closes_the_connection(egress: EgressClient, log: Log) -> None:
    async with Upstream(silent=True) as upstream:
        asking = asyncio.create_task(lookup(upstream, egress, log).find(ID, SOMEBODY))
        async with asyncio.timeout(10):
            await upstream.asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await upstream.left.wait()


async def test_every_exchange_asks_by_default(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW), NO_ROWS) as upstream:
        asked = lookup(upstream, egress, log)
        assert isinstance(await asked.find(ID, SOMEBODY), Route)
        assert await asked.find(ID, SOMEBODY) is None


async def test_found_models_are_remembered_when_told_to(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW), NO_ROWS) as upstream:
        asked = lookup(upstream, egress, log, cache=60)
        first = await asked.find(ID, SOMEBODY)
        assert await asked.find(ID, OPEN) is first
        assert await asked.find("other", SOMEBODY) is None
        assert len(upstream.received) == 2


async def test_remembered_models_are_forgotten_in_time(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW), NO_ROWS) as upstream:
        asked = lookup(upstream, egress, log, cache=0.01)
        assert await asked.find(ID, SOMEBODY) is not None
        await asyncio.sleep(0.02)
        assert await asked.find(ID, SOMEBODY) is None


async def test_memory_of_models_is_bounded(egress: EgressClient, log: Log) -> None:
    async with Upstream(answer(200, ROW)) as upstream:
        asked = lookup(upstream, egress, log, cache=60)
        for number in range(1025):
            await asked.find(str(number), SOMEBODY)
        await asked.find("0", SOMEBODY)
        assert len(upstream.received) == 1026
        await asked.find("1024", SOMEBODY)
        assert len(upstream.received) == 1026


class FakeGateway:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.egress = None
        self.log = Log()


def test_plugin_is_active_once_its_url_is_set() -> None:
    off, on = Settings(), Settings(url="https://abc.supabase.co", service_role_key=KEY)  # type: ignore[arg-type]
    assert gateway_supabase.register_model_lookups(FakeGateway(off)) == []
    assert len(gateway_supabase.register_model_lookups(FakeGateway(on))) == 1
