"""The start-up test: a door that lets everybody out is worse than none."""

import asyncio
from collections.abc import Callable

import msgspec

from gateway.domain import Timeouts
from gateway.egress.client import EgressClient
from gateway.egress.policy import EgressPolicy
from gateway.errors import UpstreamUnreachable


class SelfTestFailed(RuntimeError):
    """A denied address was reached: the gateway must not start."""


async def self_test(policy: EgressPolicy, *, make: Callable[[EgressPolicy], EgressClient] = EgressClient) -> None:
    """Dial a listener of our own on loopback, which the policy without its `allow` denies.

    Raises `SelfTestFailed` if the listener was reached, or if the dial was not refused as it should be.
    """
    reached: list[None] = []

    def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(None)
        writer.transport.abort()

    server = await asyncio.start_server(canary, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = make(msgspec.structs.replace(policy, allow=()))
    try:
        await _dial(client, f"http://127.0.0.1:{port}/", reached)
    finally:
        await client.aclose()
        server.close()
        await server.wait_closed()


async def _dial(client: EgressClient, url: str, reached: list[None]) -> None:
    try:
        response = await client.send("GET", url, timeouts=Timeouts(connect=2.0, first=2.0))
    except UpstreamUnreachable as error:
        # Reached and then cut is an UpstreamUnreachable too, so the listener has the last word.
        await asyncio.sleep(0)
        if reached or type(error) is not UpstreamUnreachable:
            raise SelfTestFailed("egress self-test: a denied loopback address was reached") from error
        return
    response.close()
    raise SelfTestFailed("egress self-test: a denied loopback address answered")
