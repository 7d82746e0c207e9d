"""The same faults before the plain route: what it tells its clients, and what of that is wrong by any measure."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from fault_asking import HANG, Asking, Result, credential_of, name_of, says_otherwise, staged
from fault_cases import CASES, Case
from fault_matrix import AT_ONCE
from fault_table import HEADER, KEY

from gateway.testing.client import RawClient
from gateway.testing.told import Ending
from gateway.testing.unreachable import unreachable
from gateway.testing.upstream import ScriptedUpstream

LOG = "plain.log"
ROUTE = Path(__file__).with_name("plain_route.py")
_OURS_ALONE = ("guard refuses", "no such host", "name server hangs")
"""What needs the gateway's guard and resolver: the plain route would ask the real ones."""
COMPARED: Sequence[Case] = tuple(
    case for case in CASES if case.shape.name == "chat" and not case.keep_alive and case.name not in _OURS_ALONE
)
SECRETS = (KEY, json.dumps(KEY)[1:-1], HEADER)
_SOON = 2.0
"""Seconds after which a connection that no client reads from any more counts as left open."""

PRETENDED = "a cut looks finished"
SUCCESS = "a failure looks like an answer"
LOST = "an answer is lost"
STATUS = "the status blames the wrong side"
KEY_SHOWN = "a key is shown"
REDIRECTED = "a redirect is followed"
OPEN = "the upstream is left open"
HUNG = "it hangs"


def harms(case: Case, result: Result, redirected: bool = False) -> tuple[str, ...]:
    """What of that no client and no operator can want, whatever words they expect."""
    heard, expected = result.told, case.expected
    found = {
        HUNG: any(problem.startswith("I1") for problem in result.problems),
        OPEN: bool(case.fault.leaves) and result.outlived > _SOON,
        KEY_SHOWN: any(secret.encode() in result.answer for secret in SECRETS),
        REDIRECTED: redirected,
    }
    if heard is not None:
        fails = expected.ending is not Ending.PROPER
        found |= {
            PRETENDED: heard.ending is Ending.PRETENDED,
            SUCCESS: fails and heard.ending is Ending.PROPER,
            LOST: not fails and (heard.ending is not Ending.PROPER or says_otherwise(case, heard)),
            STATUS: expected.ending is heard.ending is Ending.REFUSED
            and (heard.status or 0) // 100 != expected.status // 100,
        }
    return tuple(harm for harm, there in found.items() if there)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of the two."""

    results: Mapping[str, Result]
    harms: Mapping[str, tuple[str, ...]]
    tracebacks: int
    """In its log."""
    leaks: Sequence[str]
    """What its log shows that nobody may see."""


async def plainly(folder: Path, cases: Sequence[Case]) -> Compared:
    """Ask the plain route all of these, some at once."""
    async with AsyncExitStack() as stack:
        upstream, canary = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        ports = await stack.enter_async_context(unreachable(folder))
        models = {
            name_of(case): {
                "base_url": staged(case, upstream, ports, canary.port),
                "api_key": credential_of(case),
                "default_headers": {"x-canary": HEADER},
            }
            for case in cases
        }
        client = await stack.enter_async_context(_running(models, folder, ports.authority))
        asking, places = Asking(client, upstream, ""), asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> Result:
            async with places:
                return await asking.ask(case)

        results = dict(zip(map(str, cases), await asyncio.gather(*map(one, cases)), strict=True))
        found = {str(case): harms(case, results[str(case)], bool(canary.seen(name_of(case)))) for case in cases}
    said = (folder / LOG).read_text("utf-8", "replace")
    leaks = [secret for secret in SECRETS if secret in said]
    return Compared(results=results, harms=found, tracebacks=said.count("Traceback"), leaks=leaks)


@asynccontextmanager
async def _running(models: Mapping[str, object], folder: Path, authority: Path) -> AsyncIterator[RawClient]:
    """The plain route in a process of its own."""
    (told := folder / "models.json").write_text(json.dumps(models))
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (folder / LOG).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROUTE), str(told)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**environ, "SSL_CERT_FILE": str(authority), "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    try:
        where = (await asyncio.wait_for(process.stdout.readline(), HANG)).decode()
        yield RawClient("127.0.0.1", int(where.rpartition(":")[2]))
    finally:
        process.kill()  # an answer may still be waited for
        await process.communicate()
