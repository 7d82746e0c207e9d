"""A database that is closed leaves no thread behind that reports to an event loop which is no more."""

import asyncio
import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa

from gateway.registry.engine import create_engine, parse_url
from gateway.registry.errors import RegistryError
from gateway.registry.registry import Registry
from gateway.settings.load import load_settings


@pytest.fixture
def failed(monkeypatch):
    """What threads failed with; that no thread is left is seen to at the end."""
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = threading.active_count()
    yield failed
    assert threading.active_count() == before


def test_closing_waits_for_a_connection_whose_opening_was_cancelled(tmp_path, monkeypatch, failed):
    opening, real = threading.Event(), sqlite3.connect

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
        await engine.dispose()

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", slowly)
        asyncio.run(main())
    assert failed == []


@pytest.mark.parametrize("cancelled", ["while it opens", "when it is open"])
def test_a_connection_whose_opening_was_cancelled_is_closed(cancelled, tmp_path, monkeypatch, failed):
    opening, may_open, is_open, real = threading.Event(), threading.Event(), threading.Event(), sqlite3.connect
    left: set[int] = set()

    def connect(*arguments, factory, **named):
        class Counted(factory):
            def close(self):
                left.discard(id(self))
                super().close()

        opening.set()
        may_open.wait(30)
        made = real(*arguments, **named, factory=Counted)
        left.add(id(made))
        is_open.set()
        return made

    async def main() -> None:
        engine = create_engine(parse_url(f"sqlite:///{tmp_path}/registry.db"))

        async def ask() -> None:
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))

        asking = asyncio.create_task(ask())
        await asyncio.to_thread(opening.wait, 30)
        if cancelled == "when it is open":
            may_open.set()
            is_open.wait(30)  # no turn of the loop, which would hand the connection over
        asking.cancel()
        await asyncio.wait([asking])
        may_open.set()
        await engine.dispose()

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        asyncio.run(main())
    assert is_open.is_set()
    assert not left
    assert failed == []


def test_what_cannot_open_a_database_waits_for_the_connection_it_gives_up(tmp_path, monkeypatch, failed):
    (tmp_path / "gateway.db").write_text("no database " * 1000)
    settings = load_settings(environ={"GATEWAY_DATA_DIR": str(tmp_path)})
    real, closed = sqlite3.connect, threading.Event()

    def connect(*arguments, factory, **named):
        class SlowToClose(factory):
            def close(self):
                time.sleep(0.2)
                super().close()
                closed.set()

        return real(*arguments, **named, factory=SlowToClose)

    async def main() -> None:
        with pytest.raises(RegistryError, match="is damaged"):
            await Registry.open(settings)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        asyncio.run(main())
    assert closed.is_set()
    assert failed == []
