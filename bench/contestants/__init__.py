"""Who else can forward a chat completion: started like our gateway, asked like it, measured like it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import msgspec

from bench.contestants.installing import is_installed
from bench.contestants.llm_gateways import litellm, portkey, tensorzero
from bench.contestants.proxies import envoy, nginx
from bench.gateways import World
from bench.target import Target, chat_body, started

Contestant = Callable[[World], AbstractContextManager[Target]]
"""A running server while the block lasts; raises `Unavailable` with the reason and what would help."""

SLOW: Final = frozenset({"portkey", "litellm"})
"""So slow that most scenarios would tell the same of them: they take part in few."""
SUITED: Final = ("json-64", "burst-100", "paced-100")
"""In these."""


@contextmanager
def bare(world: World) -> Iterator[Target]:
    """Litestar and our egress without the gateway."""
    command = [sys.executable, "-m", "bench.contestants.bare_app", world.base_url]
    with started(command, world.cores, world.folder / "bare", world.environ()) as server:
        port = int(server.wait_for(r"Listening on http://.*:([0-9]+)"))
        yield Target("bare litestar", port, server.pids, chat_body)


@contextmanager
def contesting(name: str, world: World) -> Iterator[Sequence[Target]]:
    """The peer of this name, in the scenarios that suit it."""
    with peers()[name](world) as target:
        yield [msgspec.structs.replace(target, only=SUITED if name in SLOW else ())]


def direct(world: World, upstream: int) -> Target:
    """The upstream itself, without anything in between: what the others add to."""
    port = int(world.address(world.base_url).rpartition(":")[2])
    return Target("no gateway", port, (upstream,), chat_body, shared=True)


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


def installed() -> Sequence[str]:
    """Those of them that are here already, or come with the system: nothing has to be fetched for them."""
    return tuple(name for name in peers() if name in ("bare", "nginx") or is_installed(name))
