"""A gateway of several workers on PostgreSQL, everything around it, and everybody who acts; makes one history."""

import asyncio
import re
import signal
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import chaos_plan as plan
import msgspec
from chaos_actors import Wakes, changer, children, ender, outager, swapper
from chaos_clients import Actor
from chaos_history import Did, History, Holding, Span, Traced
from chaos_holdings import holdings
from chaos_models import models_of, routes_of, target_of
from chaos_plan import Ask
from chaos_proxy import DatabaseProxy
from chaos_remains import Secrets, database_text, forbidden, rows_of
from chaos_upstream import ChaosUpstream
from control_plane import Admin, config
from fault_table import HEADER, KEY
from seeding import seed as fill

from gateway.registry import Database, KeyStore
from gateway.settings import load_settings
from gateway.testing.client import RawResponse
from gateway.testing.loopback import LoopbackServer
from gateway.testing.running import GatewayFailed, RunningGateway

FOLDER = Path(__file__).parent
WORKERS = 2
WARMING = 1000
"""The number of the first client of those who ask before all others, so that what is opened late is open."""
ACTS = frozenset({"swaps", "outages", "ends", "changes"})
"""What is done to the gateway while it is asked."""
REST = 60.0
"""Seconds in which everything comes to rest, and that no answer takes: three attempts of four seconds, on a machine
that is busy."""
TELL = 30.0
"""Seconds between two lines of progress."""


class World:
    """Use `run`, once."""

    def __init__(
        self,
        folder: Path,
        url: str,
        seed: int,
        *,
        clients: int,
        acts: Collection[str] = ACTS,
        script: tuple[str, ...] = (),
        patience: float = REST,
        bug: str = "",
    ) -> None:
        """`script` is played to all; `patience`: seconds that a client waits for its answer, and all wait for rest."""
        self.history = History(seed=seed)
        self.ending = asyncio.Lock()
        self.volatile: tuple[str, ...] = ()
        self.passing_id = self.passing_key = ""
        self._folder, self._url, self._count = folder, url, clients
        self._acts, self._script, self._patience, self._bug = acts, script, patience, bug
        self._stack = AsyncExitStack()
        self._plan: dict[str, Ask] = {}
        self._servers = 0

    async def run(self, seconds: float) -> History:
        """Let everybody act for so long, wait for rest, and tell what was seen."""
        async with self._stack:
            await self._build()
            await self._warm()
            self.history.before = await self._holdings()
            began = time.monotonic()
            await self._act(seconds)
            self.history.seconds = time.monotonic() - began
            await self._rest()
            await self._end()
        return self.history

    # -- what the actors do -------------------------------------------------------------------------

    async def admin(self, path: str) -> RawResponse:
        """Ask the control plane for a change."""
        return await Admin(self._gateway).ask("POST", path)

    def hang_up(self) -> None:
        """SIGHUP."""
        self._gateway.send(signal.SIGHUP)

    def workers(self) -> list[int]:
        """The serving processes; none where the server has ended."""
        return [] if self._gateway.ended else children(self._gateway.pid)

    def late(self) -> float:
        """How late sleepers are woken just now."""
        return self._wakes.late()

    async def restart(self) -> None:
        """SIGTERM, and a new server when all have drained."""
        begin = time.monotonic()
        await self._stop()
        await self._start()
        self.history.stops.append(Span(what="restart", begin=begin, end=time.monotonic()))

    async def served(self) -> None:
        """Return when every worker serves; without a database, on a machine that is busy, that may take too long."""
        try:
            async with asyncio.timeout(self._patience):
                while len(await self._holdings()) < WORKERS:
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return

    # -- the history --------------------------------------------------------------------------------

    async def _build(self) -> None:
        enter = self._stack.enter_async_context
        self._wakes = await enter(Wakes())
        self._canary = await enter(LoopbackServer())
        self._upstream = await enter(ChaosUpstream(self._plan.__getitem__, self._canary.port))
        self.proxy = await enter(DatabaseProxy(self._url))
        models = models_of(self._upstream)
        self.volatile = tuple(model.id for model in models if model.id and model.name.endswith("-v"))
        people: dict[str, str | None] = {"steady": None, "boss": None}
        direct = {"GATEWAY_DATABASE_URL": self._url}
        data = self._folder / "data"
        keys = await fill(data, direct, models=models, routes=routes_of(models), keys=people, admins=["boss"])
        self._database = await Database.open(load_settings(None, {**direct, "GATEWAY_DATA_DIR": str(data)}))
        self._stack.push_async_callback(self._database.aclose)
        stored, secret = await KeyStore(self._database).create("passing")
        self.passing_id, self.passing_key = stored.id, secret.reveal()
        self._steady = keys["steady"]
        self._secrets = Secrets([KEY, msgspec.json.encode(KEY).decode()[1:-1], HEADER, *keys.values()])
        await self._start()
        self._stack.push_async_callback(self._gateway.__aexit__, None, None, None)

    def _environ(self) -> Mapping[str, str]:
        plugins = [FOLDER / "chaos_trace.py", FOLDER / "swapped.py"]
        environ = {
            "GATEWAY_DATABASE_URL": self.proxy.url,
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__CHAOS_TRACE__FILE": str(self._folder / "trace.jsonl"),
            "GATEWAY_USAGE__DURABILITY": ("window", "durable")[self._servers % 2],
            "GATEWAY_DRAIN_SECONDS": "3",
            "GATEWAY_LOG_LEVEL": "debug",
        }
        if self._bug:
            plugins.append(FOLDER / "chaos_bugs.py")
            environ["GATEWAY_PLUGINS__CHAOS_BUGS__BUG"] = self._bug
            environ["GATEWAY_PLUGINS__CHAOS_BUGS__SPARED"] = str(WARMING)
        return {**environ, **config(self._folder, *plugins)}

    async def _start(self) -> None:
        arguments = ("--workers", str(WORKERS))
        self._gateway = RunningGateway(self._folder / "data", environ=self._environ(), arguments=arguments)
        await self._gateway.__aenter__()
        self._servers += 1

    async def _stop(self) -> None:
        code = await self._gateway.stop()
        if code != 0:
            self.history.left.append(f"server {self._servers} ended with exit code {code}")
        log = self._gateway.log
        (self._folder / f"server-{self._servers}.log").write_text(log)
        self.history.logs += forbidden(log, self._servers)
        self._secrets.look(f"the log of server {self._servers}", log.encode())

    async def _warm(self) -> None:
        """What is opened late is open after this: every surface, every worker, several at once."""
        actors = [self._actor() for _ in range(8)]
        for number in range(len(actors)):
            for ask in self._warming(number):
                self._begin(ask)
        await asyncio.gather(*(self._follow(actor, self._warming(number)) for number, actor in enumerate(actors)))
        self.history.clients += [client for actor in actors for client in actor.seen]
        await self._rest()

    def _warming(self, number: int) -> Sequence[Ask]:
        return [
            Ask(tag=f"chaos-{WARMING + number}-{place}", shape=shape.name, target="a", script=("whole",))
            for place, shape in enumerate(plan.SHAPE.values())
        ]

    async def _follow(self, actor: Actor, asks: Sequence[Ask]) -> None:
        for ask in asks:
            await actor.ask(ask)

    def _begin(self, ask: Ask) -> None:
        self._plan[ask.tag] = ask

    def _actor(self) -> Actor:
        return Actor(
            lambda: self._gateway,
            lambda ask: self.passing_key if ask.passing_key else self._steady,
            target_of,
            self._secrets.look,
            self._patience,
        )

    async def _act(self, seconds: float) -> None:
        over, seed = asyncio.Event(), self.history.seed
        actors = [self._actor() for _ in range(self._count)]
        acts = {
            "swaps": lambda: swapper(self, plan.swaps(seed), over),
            "outages": lambda: outager(self, plan.outages(seed), over),
            "ends": lambda: ender(self, plan.ends(seed), over),
            "changes": lambda: changer(self, plan.changes(seed), over, self._database),
        }
        try:
            async with asyncio.TaskGroup() as group:
                for number, actor in enumerate(actors):
                    group.create_task(actor.run(plan.asks(seed, number, self._script), over, self._begin))
                for name in sorted(self._acts):
                    group.create_task(acts[name]())
                await self._tell(seconds, actors)
                over.set()
        except* GatewayFailed as failed:  # a finding as any other: the seed replays it
            self.history.left += [f"server {self._servers}: {error}" for error in failed.exceptions]
        self.history.clients += [client for actor in actors for client in actor.seen]

    async def _tell(self, seconds: float, actors: Sequence[Actor]) -> None:
        """Say now and then how far it has come, until the time is over."""
        end = (began := time.monotonic()) + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(TELL, left))
            async with self.ending:  # nobody stops it just now
                if self._gateway.ended:
                    raise GatewayFailed(f"ended by itself\n{self._gateway.log[-2000:]}")
            requests = sum(len(actor.seen) for actor in actors)
            print(
                f"{time.monotonic() - began:.0f} of {seconds:.0f} s: {requests} requests, "
                f"{len(self.history.deaths)} workers killed, {len(self.history.outages)} absences of the database",
                flush=True,
            )

    async def _rest(self) -> None:
        """Wait until nothing is under way at the upstream; what still is then will be told."""
        try:
            async with asyncio.timeout(self._patience):
                while self._upstream.busy:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return

    async def _holdings(self) -> list[Holding]:
        return await holdings(self._gateway, self.workers(), self._upstream.port, self.proxy.port)

    async def _end(self) -> None:
        """Stop, let another server settle what the killed ones left, and look at everything."""
        history = self.history
        history.after = await self._settled()
        history.asked = self._upstream.asked()  # whoever stops lets go of all
        self._look_at_files()
        await self._stop()
        await self._start()
        await self._stop()
        self._look_at_files()
        history.left += [f"{file.name} is left in usage/" for file in (self._gateway.data_dir / "usage").iterdir()]
        if self._canary.accepted:
            history.left.append("a redirect was followed")
        trace = self._folder / "trace.jsonl"
        history.traced = [msgspec.json.decode(line, type=Traced) for line in trace.read_bytes().splitlines()]
        history.rows = await rows_of(self._database)
        self._secrets.look("the database", await database_text(self._database))
        history.leaks = self._secrets.found
        history.did += [Did(what=f"{outage.what} the database", answer="done") for outage in history.outages]

    async def _settled(self) -> list[Holding]:
        """What the workers hold, when it has come to rest."""
        most = {what: max(getattr(one, what) for one in self.history.before) for what in ("tasks", "files")}
        found: list[Holding] = []
        for _ in range(int(self._patience)):
            found = await self._holdings()
            if self._gateway.ended:
                break
            if len(found) == WORKERS and not any(
                one.tasks > most["tasks"] or one.files > most["files"] or one.clients for one in found
            ):
                break
            await asyncio.sleep(1.0)
        return found

    def _look_at_files(self) -> None:
        for file in self._gateway.data_dir.rglob("*"):
            if file.is_file() and not re.search("admin-key|key.*ring|serve.log", file.name):
                self._secrets.look(f"the file {file.name}", file.read_bytes())


def fresh_seed() -> int:
    """One that nobody has had."""
    return uuid.uuid4().int % 1_000_000
