"""Every recorded transcript of the original custom route, replayed through a real server and real sockets.

One server for each setup, all cases at once; then one test for each case, so that a difference is told by name.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import msgspec
import pytest
from seeding import seed
from transcripts import DELIBERATE, MESSAGE, OWN_HEADERS, Seen, Transcript, all_transcripts

from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing import postgrest, upstream
from gateway.testing.client import RawExchange, RawResponse
from gateway.testing.postgrest import PostgrestStandIn
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream

TRANSCRIPTS = all_transcripts()
OWNER = "22222222-2222-4222-8222-222222222222"
AT_ONCE = 24
HANG = 60


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run the gateway."""

    lookup: str
    lane: str = "direct"
    open_route: bool = True
    """Otherwise a virtual key of the rows' owner calls."""

    def __str__(self) -> str:
        return f"{self.lookup}-{self.lane}-{'open' if self.open_route else 'key'}"

    @property
    def cases(self) -> list[str]:
        """The transcripts that can be replayed so."""
        return [case for case in TRANSCRIPTS if self.lookup == "supabase" or not case.startswith("supabase_")]


SETUPS = (
    Setup(lookup="supabase", lane="direct"),
    Setup(lookup="supabase", lane="sdk"),
    Setup(lookup="supabase", open_route=False),
    Setup(lookup="sqlite", lane="direct"),
    Setup(lookup="sqlite", lane="sdk", open_route=False),
    Setup(lookup="postgres", lane="direct"),
)


class Replay:
    """A gateway, an upstream and a Supabase project, set up for all transcripts of one setup."""

    def __init__(self, setup: Setup, data_dir: Path, database_url: str | None) -> None:
        self._setup = setup
        self._data_dir = data_dir
        self._database_url = database_url
        self._upstream = ScriptedUpstream()
        self._project = PostgrestStandIn()
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> dict[str, Seen | str]:
        """What each case showed; a sentence where it could not be finished."""
        async with self._upstream, self._project:
            environ = self._environ()
            models = [] if self._setup.lookup == "supabase" else [_model(row) for row in self._rows()]
            keys = await seed(self._data_dir, environ, models=models, keys={"replay": OWNER})
            async with RunningGateway(self._data_dir, environ=environ) as gateway:
                cases = [TRANSCRIPTS[case] for case in self._setup.cases]
                seen = await asyncio.gather(*(self._one(case, gateway, keys["replay"]) for case in cases))
        return {case.case: result for case, result in zip(cases, seen, strict=True)}

    def _environ(self) -> dict[str, str]:
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__OPENAI__LANE": self._setup.lane,
            "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": str(self._setup.open_route).lower(),
        }
        if self._setup.lookup == "supabase":
            environ["GATEWAY_PLUGINS__SUPABASE__URL"] = self._project.origin
            environ["GATEWAY_PLUGINS__SUPABASE__SERVICE_ROLE_KEY"] = self._project.service_role_key
        if self._database_url is not None:
            environ["GATEWAY_DATABASE_URL"] = self._database_url
        for case in map(TRANSCRIPTS.__getitem__, self._setup.cases):
            self._script(case)
        return environ

    def _script(self, case: Transcript) -> None:
        behaviours = upstream.from_transcript(case.upstream_behaviour)
        if case.client_leaves:  # slowly, so that the text to leave at is not read together with what follows it
            behaviours = tuple(msgspec.structs.replace(behaviour, pause=0.3) for behaviour in behaviours)
        self._upstream.play(case.case, *behaviours)
        row, reply = case.row(self._upstream_address), case.supabase_reply
        if row is not None:
            self._project.add(row)
        elif reply is not None and case.case.startswith("supabase_"):
            self._project.script(case.model_id, postgrest.from_transcript(reply))

    def _rows(self) -> Iterator[dict[str, Any]]:
        rows = (TRANSCRIPTS[case].row(self._upstream_address) for case in self._setup.cases)
        return (row for row in rows if row is not None)

    @property
    def _upstream_address(self) -> str:
        return f"{self._upstream.host}:{self._upstream.port}"

    async def _one(self, case: Transcript, gateway: RunningGateway, key: str) -> Seen | str:
        async with self._limit:
            try:
                async with asyncio.timeout(HANG):
                    return await self._replay(case, gateway, key)
            except (TimeoutError, ConnectionError) as error:
                return f"no end in sight: {error!r}"

    async def _replay(self, case: Transcript, gateway: RunningGateway, key: str) -> Seen:
        headers = [("content-type", case.request["content_type"])] if case.request["content_type"] else []
        if not self._setup.open_route:
            headers.append(("authorization", f"Bearer {key}"))
        method, path = case.request["method"], case.request["path"]
        exchange = await gateway.client.send(method, path, headers=headers, body=case.body())
        if case.client_leaves:
            response = await self._leave(case, exchange)
        else:
            response = await exchange.finish()
        own = {name: value for name, value in response.headers if name in OWN_HEADERS}
        return Seen(
            status=response.status,
            headers=own,
            body=response.body.decode(),
            complete=response.complete,
            upstream=self._asked_upstream(case.case) + self._asked_upstream("redirected"),
            supabase=self._asked_supabase(case),
        )

    async def _leave(self, case: Transcript, exchange: RawExchange) -> RawResponse:
        """Leave once the recorded text is there; then the upstream's stream must be closed early."""
        try:
            response = await exchange.head()
            while response.body.decode() != case.expected(supabase=False).body:
                await exchange.chunk()
        finally:
            await exchange.leave()
        [seen] = self._upstream.seen(case.case)
        await seen.closed()
        assert seen.writes < len(case.upstream_behaviour["sse"]), "the upstream went on after the client had left"
        return response

    def _asked_upstream(self, name: str) -> list[tuple[str, str, str | None, Any]]:
        requests = [seen.request for seen in self._upstream.seen(name)]
        return [
            (request.method, request.target, request.header("authorization"), json.loads(request.body))
            for request in requests
        ]

    def _asked_supabase(self, case: Transcript) -> list[tuple[str, str, str | None]]:
        """The questions about this case's model; ids that are none are told apart by the id itself."""
        recorded = case.expected(supabase=True).supabase
        asked = {unquote_plus(target.partition("id=eq.")[2]) for _, target, _ in recorded} | {case.model_id}
        requests = [request for model_id in asked for request in self._project.asked_for(model_id)]
        service_key = self._project.service_role_key
        for request in requests:
            assert request.header("apikey") == service_key
            assert request.header("authorization") == f"Bearer {service_key}"
        return [(request.method, request.target, request.header("accept")) for request in requests]


def _model(row: Mapping[str, Any]) -> NewModel:
    same = ("id", "user_id", "folder_id", "sharing", "base_url", "model_id", "name", "description", "context_length")
    key = None if row["api_key"] is None else Secret(row["api_key"])
    return NewModel(api_key=key, **{name: row[name] for name in same})


@pytest.fixture(scope="module")
def results(request, tmp_path_factory) -> Callable[[Setup], Mapping[str, Seen | str]]:
    """What all cases of a setup showed; replayed once."""

    @cache
    def replay(setup: Setup) -> Mapping[str, Seen | str]:
        url = request.getfixturevalue("module_postgres_url") if setup.lookup == "postgres" else None
        return asyncio.run(Replay(setup, tmp_path_factory.mktemp(str(setup)), url).run())

    return replay


def _cases(setup: Setup) -> Iterator[Any]:
    marks = [pytest.mark.postgres] if setup.lookup == "postgres" else []
    for case in setup.cases:
        yield pytest.param(setup, case, marks=marks, id=f"{setup}-{case}")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("setup", "case"), [case for setup in SETUPS for case in _cases(setup)])
def test_the_replay_shows_what_was_recorded(results, setup, case):
    seen, expected = results(setup)[case], TRANSCRIPTS[case].expected(supabase=setup.lookup == "supabase")
    assert isinstance(seen, Seen), seen
    if expected.body == MESSAGE:
        message = json.loads(seen.body)
        assert list(message) == ["message"]
        assert message["message"]
        seen.body = MESSAGE
    assert msgspec.structs.asdict(seen) == msgspec.structs.asdict(expected)


def test_every_deliberate_difference_is_one_of_a_recorded_case():
    assert DELIBERATE.keys() <= TRANSCRIPTS.keys()
