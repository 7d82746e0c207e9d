"""Asks every case of the table through running gateways, and finds what is not as the table says."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
from fault_asking import Asking, Result, credential_of, identity, name_of, staged
from fault_cases import Case
from fault_table import HEADER, KEY
from seeding import seed

from gateway.registry import Database, NewModel
from gateway.registry.tables import usage
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.unreachable import Unreachable, unreachable
from gateway.testing.upstream import ScriptedUpstream

PROBE = Path(__file__).parents[1] / "probe.py"
SHORT = {"connect": 2.0, "first": 4.0, "idle": 2.0, "total": 60.0}
NO_WAY = {"connect": 2.0, "first": 50.0, "idle": 50.0, "total": 100.0}
"""Only the limit for a connection is to be met, also where the event loop was held up."""
PATIENT = {"connect": 30.0, "first": 50.0, "idle": 50.0, "total": 100.0}
"""Where no limit is to be met, none is met on a busy machine either."""
LATE = {3: NO_WAY, 4: NO_WAY, 6: SHORT, 25: SHORT}
"""Limits of the rows whose faults are that nothing comes in time."""
AT_ONCE = 48


class Matrix:
    """A gateway, and the upstreams that fail behind it."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, key: str, environ: Mapping[str, str]):
        self.gateway, self.upstream = gateway, upstream
        self.key, self._environ = key, environ
        self._asking = Asking(gateway.client, upstream, key)
        self._first: dict[str, int] = {}
        self._answers: list[bytes] = []
        """All that clients were sent."""

    async def run(self, cases: Sequence[Case]) -> dict[str, Result]:
        """Ask them all, some at once, and look at each."""
        warm = [case for case in cases if case.name == "end after the finish"] or cases[:1]
        results = dict(zip(map(str, warm), await asyncio.gather(*map(self._asking.ask, warm)), strict=True))
        await self._rows(warm)  # once they are in the database, all that is opened late is open
        self._first = await self.probe()
        places = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> None:
            async with places:
                results[str(case)] = await self._asking.ask(case)

        await asyncio.gather(*(one(case) for case in cases if str(case) not in results))
        for case in cases:
            if case.expected.retry_after is not None:
                results[str(case)].problems += await self._held(case)
        self._answers += [result.answer for result in results.values()]
        rows = await self._rows(cases)
        for case in cases:
            results[str(case)].problems += self._accounted(case, rows.get(identity(case), []))
        return results

    async def _held(self, case: Case) -> list[str]:
        """A model that said when to come again is not asked before, and clients are told what remains."""
        asked = len(self.upstream.seen(name_of(case)))
        answers = await asyncio.gather(*[(await self._asking.open(case)).finish() for _ in range(5)])
        after = {(answer.status, 0 < int(answer.header("retry-after") or 0) <= 60) for answer in answers}
        again = len(self.upstream.seen(name_of(case))) - asked
        return [f"I2: while held {after}, asked {again} times"] if after != {(429, True)} or again else []

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

    async def probe(self) -> dict[str, int]:
        """What the gateway's process holds, but for its database: its pool opens another where two are wanted."""
        answer: dict[str, int] = (await self.gateway.client.request("GET", "/probe")).json()
        answer["descriptors"] -= answer.pop("of the database")
        return answer

    async def left_behind(self) -> list[str]:
        """I5: what the gateway holds more than it did after the first cases; waits for it to come to rest."""
        said = []
        for _ in range(100):
            now, pooled = await self.probe(), len(self.upstream.open_connections)
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
        secrets = {KEY, json.dumps(KEY)[1:-1], HEADER, self.key}
        places = {"an answer": self._answers, "the log": [log.encode()]}
        found = [
            f"I6: {secret!r} in {place}"
            for place, texts in places.items()
            for secret in secrets
            for text in texts
            if secret.encode() in text
        ]
        return [*found, *(["I7: a traceback in the log"] if "Traceback" in log else [])]


@asynccontextmanager
async def matrix_of(
    folder: Path, lane: str, cases: Sequence[Case], environ: Mapping[str, str] = {}
) -> AsyncIterator[Matrix]:
    """A gateway with a model of its own for each case; `environ` sets more of it."""
    async with AsyncExitStack() as stack:
        upstream, canary = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        ports = await stack.enter_async_context(unreachable(folder))
        environ = {
            "SSL_CERT_FILE": str(ports.authority),
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1", "hang.test", "nowhere.test"]',
            "GATEWAY_PLUGINS__OPENAI__LANE": lane,
            "GATEWAY_PLUGINS__PROBE__RECORDS": str(folder / "records.jsonl"),
            "GATEWAY_LOG_LEVEL": "debug",
            **environ,
        }
        models = [_model(case, upstream, ports, canary.port) for case in cases]
        keys = await seed(folder / "data", environ, models=models, keys={"someone": None})
        gateway = RunningGateway(folder / "data", environ=environ, arguments=("--plugin", str(PROBE)))
        await stack.enter_async_context(gateway)
        yield Matrix(gateway, upstream, keys["someone"], environ)
        assert canary.accepted == 0, "a redirect was followed"


def _model(case: Case, upstream: ScriptedUpstream, ports: Unreachable, canary: int) -> NewModel:
    return NewModel(
        id=identity(case),
        name=name_of(case),
        model_id="m",
        base_url=staged(case, upstream, ports, canary),
        provider=case.shape.provider,
        capabilities=case.shape.capabilities,
        # A credential of its own: the budget for retries and the health are counted by it.
        api_key=Secret(credential_of(case)),
        headers={"x-canary": HEADER},
        timeouts=LATE.get(case.fault.row, PATIENT),
    )
