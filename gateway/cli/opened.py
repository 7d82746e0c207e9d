"""How commands work on the registry: settings, an open database, and failures in one sentence."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.context import Context
from gateway.cli.endings import Failed, Wrong

if TYPE_CHECKING:
    from gateway.registry import Database
    from gateway.settings import Settings

T = TypeVar("T")


def settings() -> "Settings":
    """The settings of this run."""
    run = click.get_current_context(silent=True)
    context = run.find_object(Context) if run is not None else None
    return (context or Context()).settings()


def work(action: "Callable[[Database], Awaitable[T]]") -> T:
    """Do `action` on the database, whether a server runs or not."""
    from gateway.registry import Database

    given = settings()

    async def opened() -> T:
        database = await Database.open(given)
        try:
            return await action(database)
        finally:
            await database.aclose()

    return running(opened)


def running(action: Callable[[], Awaitable[T]]) -> T:
    """Run `action` in an event loop; what the registry refuses ends the command in words."""
    from gateway.registry import InvalidValue, RegistryError

    async def run() -> T:
        return await action()

    try:
        return asyncio.run(run())
    except InvalidValue as error:
        raise Wrong(str(error)) from error
    except RegistryError as error:
        raise Failed(str(error)) from error
