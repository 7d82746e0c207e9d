"""The openai SDK as a library that takes half a second to import: loaded in a thread, and silenced."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway_openai.settings import Lane

_MODULES: Final = ("gateway_openai.failures", "gateway_openai.sdk")
_LOGGERS: Final = ("openai", "httpx2", "httpcore2")


class Library:
    """Knows whether the SDK is there; after `load` an import of `failures` or `sdk` costs nothing."""

    def __init__(self) -> None:
        self._loaded = False

    async def load(self) -> None:
        """Import the SDK without holding up the event loop."""
        if not self._loaded:
            await asyncio.to_thread(_import)
            self._loaded = True


@asynccontextmanager
async def library_lifespan(lane: Lane) -> AsyncIterator[None]:
    """Load the SDK before the first request where every request needs it.

    In the direct lane the first failure loads it: it is 20 MB, which no answer needs, and half a second of processor
    time beside the first requests.
    """
    if lane == "sdk":
        await Library().load()
    yield


def _import() -> None:
    for module in _MODULES:
        importlib.import_module(module)
    # They print URLs, and bodies at the level DEBUG, which OPENAI_LOG sets at import: hence after it.
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
