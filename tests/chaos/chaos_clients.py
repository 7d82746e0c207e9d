"""Clients that ask what the plan says, and leave when it says so."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator

import msgspec
from chaos_history import Client
from chaos_plan import SHAPE, Ask
from chaos_script import word_of

from gateway.testing.client import RawExchange, RawResponse
from gateway.testing.running import RunningGateway
from gateway.testing.told import Ending, told

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Actor:
    """One client: its requests follow each other, some on the connection of the last."""

    def __init__(
        self,
        gateway: Callable[[], RunningGateway],
        key: Callable[[Ask], str],
        target: Callable[[Ask], str],
        look: Callable[[str, bytes], None],
        patience: float,
    ) -> None:
        """`look` is shown every byte that came, with the place it came to; `patience`: seconds that no answer takes."""
        self._gateway, self._key, self._target, self._look = gateway, key, target, look
        self._patience = patience
        self._kept: RawExchange | None = None
        self._kept_since = 0.0
        self.seen: list[Client] = []

    async def run(self, asks: Iterator[Ask], over: asyncio.Event, begin: Callable[[Ask], None]) -> None:
        """Ask one after the other until it is over."""
        for ask in asks:
            await asyncio.sleep(ask.rest)
            if over.is_set():
                break
            begin(ask)
            if not (await self.ask(ask)).reached:
                await asyncio.sleep(0.5)
        await self.close()

    async def close(self) -> None:
        """Let go of the connection that was kept."""
        if self._kept is not None:
            await self._kept.leave()
            self._kept = None

    async def ask(self, ask: Ask) -> Client:
        """One request."""
        now = time.monotonic()
        client = Client(ask=ask, sent=now, since=now if self._kept is None else self._kept_since)
        self.seen.append(client)
        try:
            async with asyncio.timeout(self._patience):
                exchange = await self._open(ask)
                try:
                    await self._hear(ask, exchange, client)
                except BaseException:
                    await exchange.leave()
                    raise
        except TimeoutError:
            client.hung = True
        except OSError:
            client.reached = False
        client.ended = time.monotonic()
        return client

    async def _open(self, ask: Ask) -> RawExchange:
        shape, http = SHAPE[ask.shape], self._gateway().client
        headers = [
            ("authorization", f"Bearer {self._key(ask)}"),
            ("content-type", shape.media_type),
            ("x-chaos", ask.tag),
        ]
        target = self._target(ask)
        body = shape.body(target, target).replace(b'"hi"', b'"%s"' % ask.tag.encode())
        request = http.encoded("POST", shape.path, headers=headers, body=body, keep_alive=ask.keep_alive)
        kept, self._kept = self._kept, None
        return kept.again(request) if kept is not None else await http.send_bytes(request)

    async def _hear(self, ask: Ask, exchange: RawExchange, client: Client) -> None:
        client.left = await _leaves(ask, exchange)
        response = exchange.response
        if not client.left and not response.complete:
            await exchange.read()
        if response.complete and ask.keep_alive and response.header("connection") != "close":
            self._kept, self._kept_since = exchange, client.sent
        else:
            await exchange.leave()
        self._note(client, response)

    def _note(self, client: Client, response: RawResponse) -> None:
        ask, surface = client.ask, SHAPE[client.ask.shape].surface
        self._look(f"the answer to {ask.tag}", repr(response.headers).encode() + response.body)
        client.status = response.status
        if response.status is None:
            return
        if not response.complete and surface != "custom":
            response = _whole_lines(response)
        heard = told(surface, response)
        client.ending, client.code, client.flaw = heard.ending, heard.code, heard.flaw
        client.text = _SURROGATE.sub("\ufffd", heard.text)  # it may pass as the escape it came as
        if surface == "plain" and heard.ending is Ending.PROPER and word_of(ask.tag).encode() in response.body:
            client.text = word_of(ask.tag) + "ial"


async def _leaves(ask: Ask, exchange: RawExchange) -> bool:
    """Go, at the moment that was planned; False when the answer was over before."""
    if not ask.leave:
        return False
    try:
        if ask.leave == "at once":
            await asyncio.sleep(ask.patience)
        elif await _came(exchange, int(ask.patience) if ask.leave == "after some" else int(ask.leave == "half-close")):
            return False
    except ConnectionError:
        return False
    if ask.leave == "half-close":
        exchange.half_close()
        await asyncio.sleep(ask.patience)
    return True


async def _came(exchange: RawExchange, pieces: int) -> bool:
    """Wait for the head and so many pieces; whether the answer was over before."""
    response = await exchange.head()
    if response.header("transfer-encoding") != "chunked":
        return True
    for _ in range(pieces):
        if not await exchange.chunk():
            return True
    return False


def _whole_lines(response: RawResponse) -> RawResponse:
    """As far as lines are whole: a cut may go through a letter."""
    body = response.body
    end = max(body.rfind(b"\n"), body.rfind(b"\r")) + 1
    return msgspec.structs.replace(response, chunks=[(0.0, body[:end])])
