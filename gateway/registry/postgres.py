"""PostgreSQL by asyncpg: the options of a connection, and a listener that hears changes at once."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.registry.errors import DatabaseUnavailable
from gateway.registry.tables import CHANNEL

POOLER_PORT: Final = 6543
CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 30.0
_IGNORED: Final = frozenset({"channel_binding", "gssencmode", "connect_timeout", "target_session_attrs"})


def create_postgres_engine(url: URL) -> AsyncEngine:
    """An engine for that address; nothing is opened yet. `DatabaseUnavailable` for options that nobody knows."""
    return create_async_engine(
        url.set(query={}),
        connect_args=connect_options(url),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_size=5,
        max_overflow=5,
        pool_timeout=10,
    )


def behind_pgbouncer(url: URL) -> bool:
    """Whether the address names a pooler in transaction mode: Supabase's port 6543, or `pgbouncer=true`.

    `pgbouncer=false` says that there is none, whatever the port.
    """
    said = _last(url.query.get("pgbouncer", "")).lower()
    if said:
        return said in ("true", "1")
    return str(POOLER_PORT) in (str(url.port), _last(url.query.get("port", "")))


def connect_options(url: URL) -> dict[str, Any]:
    """What SQLAlchemy's asyncpg driver is to be called with, from the URL's query as libpq users write it."""
    options: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "async_creator_fn": connect,
        "server_settings": {"application_name": "litestar-gateway"},
    }
    for name, value in url.query.items():
        text = _last(value)
        if name in ("sslmode", "ssl"):
            options["ssl"] = text
        elif name == "application_name":
            options["server_settings"]["application_name"] = text
        elif name in ("host", "port"):
            options[name] = int(text) if name == "port" else text
        elif name != "pgbouncer" and name not in _IGNORED:
            raise DatabaseUnavailable(f"The database URL's parameter {name!r} is not supported: remove it.")
    if behind_pgbouncer(url):
        # The next transaction may run on another server connection, so nothing is prepared under a name. Unique names
        # would work too, but nobody can close them: they pile up in the servers until those are recycled (measured).
        options["statement_cache_size"] = 0
        options["prepared_statement_cache_size"] = 0
        options["prepared_statement_name_func"] = lambda: ""
    return options


def _last(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[-1]


async def connect(*args: Any, **options: Any) -> Any:
    """An asyncpg connection; whatever prevents one is `DatabaseUnavailable`."""
    try:
        return await asyncpg.connect(*args, **options)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseUnavailable(
            f"PostgreSQL cannot be reached ({reason}): see that it runs, and that GATEWAY_DATABASE_URL is right."
        ) from error


class Listener:
    """Calls back when PostgreSQL notifies a change; reconnects by itself and never fails.

    It only shortens the wait: the poll of the generation row is what the bound rests on.
    """

    def __init__(self, url: URL, heard: Callable[[], None]) -> None:
        own = ("async_creator_fn", "prepared_statement_cache_size", "prepared_statement_name_func")
        options = {name: value for name, value in connect_options(url).items() if name not in own}
        self._options = {**url.translate_connect_args(username="user"), **options}
        self._heard = heard
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            try:
                await self._hold()
            except DatabaseUnavailable:
                pass  # the poll says so; here we only try again
            await asyncio.sleep(1.0)

    async def _hold(self) -> None:
        connection = await connect(**self._options)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._heard())
            await closed.wait()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable("The listening connection was lost.") from error
        finally:
            connection.terminate()

    async def aclose(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
