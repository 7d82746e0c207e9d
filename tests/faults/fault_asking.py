"""Asks one case: plays the fault, reads what the client is told, and finds what of it is not as the table says."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Sequence

import msgspec
from fault_cases import Case
from fault_dialects import PIECES
from fault_table import KEY

from gateway.testing.client import RawClient, RawExchange, RawResponse
from gateway.testing.told import Ending, Told, told
from gateway.testing.unreachable import Unreachable
from gateway.testing.upstream import Behaviour, ScriptedUpstream, Seen

_SURROGATE = re.compile(r"[\ud800-\udfff]")
HANG = 60
"""Seconds that nothing here takes, however busy the machine is."""


class Result(msgspec.Struct, kw_only=True):
    """What became of a case, and what of it is wrong."""

    told: Told | None = None
    answer: bytes = b""
    """All that the client was sent."""
    outlived: float = 0.0
    """Seconds that the upstream's connection was open after the client had its answer, or had left."""
    problems: list[str]


def identity(case: Case) -> str:
    """The id of the case's model."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(case)))


def name_of(case: Case) -> str:
    """The name of the case's model, which is its script's, too."""
    return identity(case)[:13]


def credential_of(case: Case) -> str:
    """The key that is sent to the case's upstream."""
    return KEY + name_of(case)


def staged(case: Case, upstream: ScriptedUpstream, ports: Unreachable, canary: int) -> str:
    """Let the upstream play what goes wrong; the base URL that leads there."""
    behaviours = case.fault.behaviours(PIECES[case.shape.dialect])
    base = upstream.play(name_of(case), *(_placed(behaviour, case, canary) for behaviour in behaviours))
    if case.fault.base_url is not None:
        return case.fault.base_url.format(**msgspec.structs.asdict(ports))
    return base.removesuffix("/v1") if case.shape.provider == "anthropic" else base


def _placed(behaviour: Behaviour, case: Case, canary: int) -> Behaviour:
    """The behaviour with this world's canary port and this case's key in it."""
    place = f"127.0.0.1:{canary}/{name_of(case)}/"
    headers = tuple((name, value.replace("{canary}", place)) for name, value in behaviour.headers)
    written = [key.encode() for key in (KEY, json.dumps(KEY)[1:-1])]
    for key in written:
        writes = tuple(data.replace(key, key + name_of(case).encode()) for data in behaviour.writes)
        behaviour = msgspec.structs.replace(behaviour, writes=writes)
    return msgspec.structs.replace(behaviour, headers=headers)


class Asking:
    """A client of a server, and the upstream that fails behind it."""

    def __init__(self, client: RawClient, upstream: ScriptedUpstream, key: str) -> None:
        self._client, self._upstream, self._key = client, upstream, key

    async def ask(self, case: Case) -> Result:
        """Ask one case: invariants 1 to 3."""
        try:
            async with asyncio.timeout(HANG):
                before = len(self._upstream.seen(name_of(case)))
                exchange = await self.open(case)
                if case.fault.leaves:
                    left = await self._leave(case, exchange, before + 1)
                    return Result(problems=await self._closed(case), outlived=self._outlived(case, left))
                response = await exchange.read()
                over = time.monotonic()
                problems = await self._reuse(case, exchange) if response.complete and case.keep_alive else []
                await exchange.leave()
                problems += await self._closed(case)
        except TimeoutError:
            return Result(problems=[f"I1: it took more than {HANG} s"])
        heard = told(case.shape.surface, response)
        return Result(
            told=heard,
            answer=repr(response.headers).encode() + response.body,
            outlived=self._outlived(case, over),
            problems=[*differences(case, heard, response), *problems],
        )

    async def open(self, case: Case) -> RawExchange:
        """Send the case's request."""
        body = case.shape.body(name_of(case), identity(case))
        headers = [("authorization", f"Bearer {self._key}"), ("content-type", case.shape.media_type)]
        client = self._client
        encoded = client.encoded("POST", case.shape.path, headers=headers, body=body, keep_alive=case.keep_alive)
        return await client.send_bytes(encoded)

    async def _leave(self, case: Case, exchange: RawExchange, number: int) -> float:
        """Go when the upstream has said what it says, and what it said has come; when that was."""
        seen = await self._upstream.wait_for(name_of(case), number)
        while seen.writes < len(case.fault.behaviours(PIECES[case.shape.dialect])[0].writes):
            await asyncio.sleep(0.01)
        if seen.writes and case.shape.streamed:
            await exchange.head()
            await exchange.chunk()
        left = time.monotonic()
        if case.fault.leaves == "half-close":
            exchange.half_close()
            await seen.closed()
        await exchange.leave()
        return left

    async def _reuse(self, case: Case, exchange: RawExchange) -> list[str]:
        """A connection that may be kept answers the next request as if nothing had been."""
        if exchange.response.header("connection") == "close":
            return []
        request = self._client.encoded("GET", "/health/live", keep_alive=True)
        again = await exchange.again(request).finish()
        return [] if again.status == 200 else [f"I2: the kept connection then answered {again.status}: {again.error}"]

    async def _closed(self, case: Case) -> list[str]:
        """The upstream's connections are closed, unless they may serve again."""
        fault = case.fault
        if fault.play is None:
            return []
        seen = self._upstream.seen(name_of(case))
        problems = []
        if len(seen) != (tries := len(case.expected.outcomes)):
            problems.append(f"I4: the upstream was asked {len(seen)} times, not {tries}")
        if not fault.kept:
            try:
                await asyncio.wait_for(_all_closed(seen), HANG / 3)
            except TimeoutError:
                problems.append("I3: the upstream's connection is still open")
        return problems

    def _outlived(self, case: Case, over: float) -> float:
        """How long after that moment the last connection was open that may not serve again."""
        if case.fault.kept:
            return 0.0
        ends = [one.closed_at or time.monotonic() for one in self._upstream.seen(name_of(case))]
        return max(0.0, *(end - over for end in ends)) if ends else 0.0


async def _all_closed(seen: Sequence[Seen]) -> None:
    for one in seen:
        await one.closed()


def says_otherwise(case: Case, heard: Told) -> bool:
    """Whether the text is another than it should be; a lone surrogate may pass as the escape it came as."""
    if case.expected.text is None or case.shape.surface == "plain":
        return False
    return _SURROGATE.sub("\ufffd", heard.text) != case.expected.text


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
    if says_otherwise(case, heard):
        wrong.append(f"the text is {heard.text[:60]!r}, not {(expected.text or '')[:60]!r}")
    if case.shape.surface == "custom":
        media_type = "text/plain;charset=UTF-8" if heard.ending is Ending.REFUSED else "text/plain; charset=utf-8"
        if response.header("content-type") != media_type:
            wrong.append(f"content-type: {response.header('content-type')}, not {media_type}")
    after = response.header("retry-after")
    if after != (None if expected.retry_after is None else str(expected.retry_after)):
        wrong.append(f"retry-after: {after}, not {expected.retry_after}")
    return [f"I2: {one}" for one in wrong]
