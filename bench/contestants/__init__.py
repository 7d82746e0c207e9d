"""Who else can forward a chat completion: started like our gateway, asked like it, measured like it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.gateways import World
from bench.target import Target, chat_body

Contestant = Callable[[World], AbstractContextManager[Target]]
"""A running server while the block lasts; raises `Unavailable` with the reason and what would help."""


def direct(world: World, upstream: int) -> Target:
    """The upstream itself, without anything in between: what the others add to."""
    return Target("no gateway", int(world.base_url.rsplit(":", 1)[1].split("/")[0]), (upstream,), chat_body)


def peers() -> dict[str, Contestant]:
    """All that can be asked for, by name."""
    return {}
