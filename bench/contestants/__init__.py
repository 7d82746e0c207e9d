"""Who else can forward a chat completion: started like our gateway, asked like it, measured like it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bench.contestants.llm_gateways import litellm, portkey, tensorzero
from bench.contestants.proxies import envoy, nginx
from bench.gateways import World
from bench.target import Target, chat_body, started

Contestant = Callable[[World], AbstractContextManager[Target]]
"""A running server while the block lasts; raises `Unavailable` with the reason and what would help."""


@contextmanager
def bare(world: World) -> Iterator[Target]:
    """Litestar and our egress without the gateway."""
    command = [sys.executable, "-m", "bench.contestants.bare_app", world.base_url]
    with started(command, world.cores, world.folder / "bare", world.environ()) as server:
        port = int(server.wait_for(r"Listening on http://.*:([0-9]+)"))
        yield Target("bare litestar", port, server.pids, chat_body)


def direct(world: World, upstream: int) -> Target:
    """The upstream itself, without anything in between: what the others add to."""
    return Target("no gateway", int(world.address(world.base_url).rpartition(":")[2]), (upstream,), chat_body)


def peers() -> dict[str, Contestant]:
    """All that can be asked for, by name."""
    return {
        "bare": bare,
        "nginx": nginx,
        "envoy": envoy,
        "tensorzero": tensorzero,
        "portkey": portkey,
        "litellm": litellm,
    }
