"""A database that is closed leaves no thread behind that reports to an event loop which is no more."""

import asyncio
import sqlite3
import threading
import time

import sqlalchemy as sa

from gateway.registry.engine import close, create_engine, parse_url


def test_closing_waits_for_a_connection_whose_opening_was_cancelled(tmp_path, monkeypatch):
    opening, failed, real = threading.Event(), [], sqlite3.connect

    def slowly(*arguments, **named):
        opening.set()
        time.sleep(0.2)
        return real(*arguments, **named)

    async def main() -> None:
        engine = create_engine(parse_url(f"sqlite:///{tmp_path}/registry.db"))

        async def ask() -> None:
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))

        asking = asyncio.create_task(ask())
        await asyncio.to_thread(opening.wait, 30)
        asking.cancel()
        await asyncio.wait([asking])
        await close(engine)

    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", slowly)
        asyncio.run(main())
    assert (failed, threading.active_count()) == ([], before)
