"""Whether the routes of the database can be served: their strategies and their targets."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli.doctor.finding import Finding, command, failed, warning
from gateway.cli.routes.targets import written
from gateway.registry.declared import declared
from gateway.registry.routes import StoredTarget
from gateway.settings import Settings, nearest

if TYPE_CHECKING:
    from gateway.cli.doctor.storage import Stored


def routes(settings: Settings, stored: "Stored", strategies: Collection[str]) -> Iterator[Finding]:
    """The enabled routes whose strategy nobody provides, and those with targets that do not exist."""
    there = {*stored.ids, *declared(settings).models}
    for route in stored.routes:
        if route.strategy not in strategies:
            near = nearest(route.strategy, strategies)
            guess = f"; did you mean {near!r}?" if near else "."
            told = f"no enabled plugin provides the strategy {route.strategy!r}{guess}"
            yield failed("routes", f"{_named(route)}: {told}", _update(route, *(("--strategy", near) if near else ())))
        yield from _targets(route, there)


def _targets(route: Any, there: Collection[str]) -> Iterator[Finding]:
    targets = msgspec.convert(route.targets, list[StoredTarget])
    gone = [target.model for target in targets if target.model not in there]
    if not gone:
        return
    left = [word for one in targets if one.model in there for word in ("--target", written(one, one.model))]
    told = f"{_named(route)}: there is no model {', '.join(gone)}"
    if left:
        yield warning("routes", f"{told}; the route goes without.", _update(route, *left))
    else:
        yield failed("routes", f"{told}: it has no target at all.", _update(route))


def _update(route: Any, *change: str) -> str:
    return command("gateway", "routes", "update", route.id, *(change or ("--disable",)))


def _named(route: Any) -> str:
    return f"route {route.name!r} ({route.id})"
