"""Litestar's events as plugins know them, whether anybody listens or not."""

import asyncio

import pytest
from litestar import Litestar
from litestar.events import listener
from litestar.exceptions import ImproperlyConfiguredException

from gateway.app.emitting import Emitter


async def test_a_listener_hears_what_is_emitted() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    @listener("said")
    async def hear(word: str) -> None:
        await heard.put(word)

    app = Litestar([], listeners=[hear], event_emitter_backend=Emitter, openapi_config=None)
    async with app.lifespan():
        app.emit("said", word="hello")
        assert await heard.get() == "hello"


@pytest.mark.parametrize("listens", [True, False])
async def test_an_event_that_nobody_listens_to_is_refused(listens: bool) -> None:
    @listener("another")
    async def hear() -> None: ...

    listeners = [hear] if listens else []
    app = Litestar([], listeners=listeners, event_emitter_backend=Emitter, openapi_config=None)
    async with app.lifespan():
        with pytest.raises(ImproperlyConfiguredException, match="said"):
            app.emit("said")
