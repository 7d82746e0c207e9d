"""Asks every case of the table through running gateways, and finds what is not as the table says."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from fault_cases import Case
from fault_dialects import PIECES
from fault_table import HEADER, KEY
from seeding import seed

from gateway.registry import Database, NewModel
from gateway.registry.tables import usage
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.client import RawExchange, RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.told import Ending, Told, told
from gateway.testing.unreachable import Unreachable, unreachable
from gateway.testing.upstream import Behaviour, ScriptedUpstream, Seen

PROBE = Path(__file__).parents[1] / "probe.py"
TIMEOUTS = {"connect": 2.0, "first": 4.0, "idle": 2.0, "total": 60.0}
AT_ONCE = 48
_SURROGATE = re.compile(r"[\ud800-\udfff]")
HANG = 60
"""Seconds that nothing here takes, however busy the machine is."""


class Result(msgspec.Struct, kw_only=True):
    """What became of a case, and what of it is wrong."""

    told: Told | None = None
    problems: list[str]


def _identity(case: Case) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(case)))


def _name(case: Case) -> str:
    return _identity(case)[:13]


class Matrix:
    """A gateway, and the upstreams that fail behind it."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, key: str, environ: Mapping[str, str]):
        self.gateway, self.upstream = gateway, upstream
        self._key, self._environ = key, environ
        self._first: dict[str, int] = {}
        self.answers: list[bytes] = []
        """All that clients were sent."""

    async def run(self, cases: Sequence[Case]) -> dict[str, Result]:
        """Ask them all, some at once, and look at each."""
        warm = [case for case in cases if case.name == "end after the finish"] or cases[:1]
        results = dict(zip(map(str, warm), await asyncio.gather(*map(self._ask, warm)), strict=True))
        await self._rows(warm)  # once they are in the database, all that is opened late is open
        self._first = await self._probe()
        places = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> None:
            async with places:
                results[str(case)] = await self._ask(case)

        await asyncio.gather(*(one(case) for case in cases if str(case) not in results))
        for case in cases:
            if case.expected.retry_after is not None:
                results[str(case)].problems += await self._held(case)
        rows = await self._rows(cases)
        for case in cases:
            results[str(case)].problems += self._accounted(case, rows.get(_identity(case), []))
        return results

    async def _ask(self, case: Case) -> Result:
        """Ask one case: invariants 1 to 3."""
        try:
            async with asyncio.timeout(HANG):
                exchange = await self._open(case)
                if case.fault.leaves:
                    await self._leave(case, exchange)
                    return Result(problems=await self._closed(case))
                response = await exchange.read()
                problems = await self._reuse(case, exchange) if response.complete and case.keep_alive else []
                await exchange.leave()
                problems += await self._closed(case)
        except TimeoutError:
            return Result(problems=[f"I1: it took more than {HANG} s"])
        self.answers.append(repr(response.headers).encode() + response.body)
        heard = told(case.shape.surface, response)
        return Result(told=heard, problems=[*differences(case, heard, response), *problems])

    async def _held(self, case: Case) -> list[str]:
        """A model that said when to come again is not asked before, and clients are told what remains."""
        asked = len(self.upstream.seen(_name(case)))
        answers = await asyncio.gather(*[(await self._open(case)).finish() for _ in range(5)])
        after = {(answer.status, 0 < int(answer.header("retry-after") or 0) <= 60) for answer in answers}
        again = len(self.upstream.seen(_name(case))) - asked
        return [f"I2: while held {after}, asked {again} times"] if after != {(429, True)} or again else []

    async def _open(self, case: Case) -> RawExchange:
        body = case.shape.body(_name(case), _identity(case))
        headers = [("authorization", f"Bearer {self._key}"), ("content-type", case.shape.media_type)]
        client = self.gateway.client
        encoded = client.encoded("POST", case.shape.path, headers=headers, body=body, keep_alive=case.keep_alive)
        return await client.send_bytes(encoded)

    async def _leave(self, case: Case, exchange: RawExchange) -> None:
        """Go when the upstream has said what it says, and what it said has come."""
        seen = await self.upstream.wait_for(_name(case))
        while seen.writes < len(case.fault.behaviours(PIECES[case.shape.dialect])[0].writes):
            await asyncio.sleep(0.01)
        if seen.writes and case.shape.streamed:
            await exchange.head()
            await exchange.chunk()
        if case.fault.leaves == "half-close":
            exchange.half_close()
            await seen.closed()
        await exchange.leave()

    async def _reuse(self, case: Case, exchange: RawExchange) -> list[str]:
        """A connection that may be kept answers the next request as if nothing had been."""
        if exchange.response.header("connection") == "close":
            return []
        request = self.gateway.client.encoded("GET", "/health/live", keep_alive=True)
        again = await exchange.again(request).finish()
        return [] if again.status == 200 else [f"I2: the kept connection then answered {again.status}: {again.error}"]

    async def _closed(self, case: Case) -> list[str]:
        """The upstream's connections are closed, unless they may serve again."""
        fault = case.fault
        if fault.play is None:
            return []
        seen = self.upstream.seen(_name(case))
        problems = []
        if len(seen) != (tries := len(case.expected.outcomes)):
            problems.append(f"I4: the upstream was asked {len(seen)} times, not {tries}")
        if not fault.kept:
            try:
                await asyncio.wait_for(_all_closed(seen), HANG / 3)
            except TimeoutError:
                problems.append("I3: the upstream's connection is still open")
        return problems

    def _accounted(self, case: Case, found: Sequence[tuple[int, str]]) -> list[str]:
        """One row for each attempt, with the right outcome."""
        wanted = list(enumerate(case.expected.outcomes, 1))
        return [] if sorted(found) == wanted else [f"I4: the usage says {sorted(found)}, not {wanted}"]

    async def _rows(self, cases: Iterable[Case]) -> dict[str, list[tuple[int, str]]]:
        """The usage rows of each model; waits until there are as many as there should be."""
        wanted = sum(len(case.expected.outcomes) for case in cases)
        settings = load_settings(None, {**self._environ, "GATEWAY_DATA_DIR": str(self.gateway.data_dir)})
        database = await Database.open(settings)
        try:
            for _ in range(20):
                await asyncio.sleep(0.5)  # and a moment for one too many
                rows: dict[str, list[tuple[int, str]]] = {}
                async with database.read() as connection:
                    columns = usage.c.model_id, usage.c.number, usage.c.outcome
                    for model, number, outcome in (await connection.execute(sa.select(*columns))).all():
                        rows.setdefault(model, []).append((number, outcome))
                if sum(map(len, rows.values())) >= wanted:
                    break
            return rows
        finally:
            await database.aclose()

    async def _probe(self) -> dict[str, int]:
        answer: dict[str, int] = (await self.gateway.client.request("GET", "/probe")).json()
        return answer

    async def left_behind(self) -> list[str]:
        """I5: what the gateway holds more than it did after the first cases; waits for it to come to rest."""
        said = []
        for _ in range(100):
            now, pooled = await self._probe(), len(self.upstream.open_connections)
            said = [
                f"I5: {now[what]} {what} (and {pooled} idle connections), {self._first[what]} before"
                for what, spare in (("tasks", 0), ("descriptors", pooled))
                if now[what] - spare > self._first[what]
            ]
            if not said:
                break
            await asyncio.sleep(0.2)
        return said

    def leaked(self) -> list[str]:
        """I6 and I7: what no client and no log may show."""
        log = self.gateway.log
        secrets = {KEY, json.dumps(KEY)[1:-1], HEADER, self._key}
        places = {"an answer": self.answers, "the log": [log.encode()]}
        found = [
            f"I6: {secret!r} in {place}"
            for place, texts in places.items()
            for secret in secrets
            for text in texts
            if secret.encode() in text
        ]
        return [*found, *(["I7: a traceback in the log"] if "Traceback" in log else [])]


async def _all_closed(seen: Sequence[Seen]) -> None:
    for one in seen:
        await one.closed()


def differences(case: Case, heard: Told, response: RawResponse) -> list[str]:
    """I2: in what the client was told otherwise than the table says."""
    expected = case.expected
    wrong = [heard.flaw] if heard.flaw else []
    if heard.ending is not expected.ending:
        wrong.append(f"{heard.ending}, not {expected.ending}")
    if heard.status != expected.status:
        wrong.append(f"status {heard.status}, not {expected.status}")
    if expected.code is not None and heard.code not in (
        expected.code,
        "" if case.shape.surface == "messages" else None,
    ):
        wrong.append(f"it says {heard.code!r}, not {expected.code!r}")
    # A lone surrogate may pass as the escape it came as.
    text = _SURROGATE.sub("\ufffd", heard.text)
    if expected.text is not None and case.shape.surface != "plain" and text != expected.text:
        wrong.append(f"the text is {text[:60]!r}, not {expected.text[:60]!r}")
    if case.shape.surface == "custom":
        media_type = "text/plain;charset=UTF-8" if heard.ending is Ending.REFUSED else "text/plain; charset=utf-8"
        if response.header("content-type") != media_type:
            wrong.append(f"content-type: {response.header('content-type')}, not {media_type}")
    after = response.header("retry-after")
    if after != (None if expected.retry_after is None else str(expected.retry_after)):
        wrong.append(f"retry-after: {after}, not {expected.retry_after}")
    return [f"I2: {one}" for one in wrong]


@asynccontextmanager
async def matrix_of(folder: Path, lane: str, cases: Sequence[Case]) -> AsyncIterator[Matrix]:
    """A gateway with a model of its own for each case."""
    async with AsyncExitStack() as stack:
        upstream, canary = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        ports = await stack.enter_async_context(unreachable(folder))
        environ = {
            "SSL_CERT_FILE": str(ports.authority),
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1", "hang.test", "nowhere.test"]',
            "GATEWAY_PLUGINS__OPENAI__LANE": lane,
            "GATEWAY_PLUGINS__PROBE__RECORDS": str(folder / "records.jsonl"),
            "GATEWAY_LOG_LEVEL": "debug",
        }
        models = [_model(case, upstream, ports, canary.port) for case in cases]
        keys = await seed(folder / "data", environ, models=models, keys={"someone": None})
        gateway = RunningGateway(folder / "data", environ=environ, arguments=("--plugin", str(PROBE)))
        await stack.enter_async_context(gateway)
        yield Matrix(gateway, upstream, keys["someone"], environ)
        assert canary.accepted == 0, "a redirect was followed"


def _model(case: Case, upstream: ScriptedUpstream, ports: Unreachable, canary: int) -> NewModel:
    behaviours = case.fault.behaviours(PIECES[case.shape.dialect])
    base = upstream.play(_name(case), *(_placed(behaviour, case, canary) for behaviour in behaviours))
    if case.shape.provider == "anthropic":
        base = base.removesuffix("/v1")
    if case.fault.base_url is not None:
        base = case.fault.base_url.format(**msgspec.structs.asdict(ports))
    return NewModel(
        id=_identity(case),
        name=_name(case),
        model_id="m",
        base_url=base,
        provider=case.shape.provider,
        capabilities=case.shape.capabilities,
        # A credential of its own: the budget for retries and the health are counted by it.
        api_key=Secret(f"{KEY}{_name(case)}"),
        headers={"x-canary": HEADER},
        timeouts=TIMEOUTS,
    )


def _placed(behaviour: Behaviour, case: Case, canary: int) -> Behaviour:
    """The behaviour with this world's canary port and this case's key in it."""
    headers = tuple((name, value.replace("{canary}", str(canary))) for name, value in behaviour.headers)
    written = [key.encode() for key in (KEY, json.dumps(KEY)[1:-1])]
    for key in written:
        writes = tuple(data.replace(key, key + _name(case).encode()) for data in behaviour.writes)
        behaviour = msgspec.structs.replace(behaviour, writes=writes)
    return msgspec.structs.replace(behaviour, headers=headers)
