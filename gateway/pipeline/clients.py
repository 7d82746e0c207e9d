"""Provider clients, kept while they are used and a while longer."""

import asyncio
from collections import OrderedDict
from contextlib import AbstractContextManager

from gateway.cancellation import strays_as_errors
from gateway.domain import Model
from gateway.errors import ModelMisconfigured, PluginError
from gateway.protocols import Logger, ProviderClient
from gateway.runtime import Generation

KEPT = 1_000
"""Clients; the longest unused one is closed first."""

_Key = tuple[int, str, bytes]


class _Entry:
    """A client, and how many contexts use it."""

    __slots__ = ("client", "uses")

    def __init__(self, client: ProviderClient) -> None:
        self.client = client
        self.uses = 0

    def __enter__(self) -> ProviderClient:
        self.uses += 1
        return self.client

    def __exit__(self, *_: object) -> None:
        self.uses -= 1


class ClientCache:
    """One client for each generation, provider, base URL and credential; bounded, and never closed while in use."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def lease(self, generation: Generation, model: Model) -> AbstractContextManager[ProviderClient]:
        """The client for this model, for as long as the context lasts.

        Raises `PluginError` without its provider, `ModelMisconfigured` for a model that cannot be called.
        """
        if model.fault:
            raise _misconfigured(model)
        key = (generation.number, model.provider, model.tenant)
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry(_connect(generation, model))
            if len(self._entries) >= KEPT:
                self._evict()
            self._entries[key] = entry
        else:
            self._entries.move_to_end(key)
        return entry

    async def aclose(self, generation: int | None = None) -> None:
        """Close every client, or those of one generation."""
        closing = [key for key in self._entries if generation in (None, key[0])]
        for key, entry in [(key, self._entries.pop(key)) for key in closing]:
            await self._close(key, entry.client)
        if generation is None and self._closing:
            await asyncio.wait(self._closing)

    def _evict(self) -> None:
        for key, entry in list(self._entries.items())[: len(self._entries) - KEPT + 1]:
            if not entry.uses:
                del self._entries[key]
                task = asyncio.get_running_loop().create_task(self._close(key, entry.client))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def _close(self, key: _Key, client: ProviderClient) -> None:
        try:
            with strays_as_errors():
                await client.aclose()
        except Exception as error:  # noqa: BLE001 - a named border: a provider's fault must not stop the others
            self._log.error("client_close_failed", provider=key[1], error=type(error).__name__)


def _misconfigured(model: Model) -> ModelMisconfigured:
    error = ModelMisconfigured("The model is not configured properly.")
    error.detail = model.fault
    return error


def _connect(generation: Generation, model: Model) -> ProviderClient:
    provider = generation.providers.get(model.provider)
    if provider is None:
        raise PluginError(f'No enabled plugin provides "{model.provider}".', plugin=model.provider)
    return provider.object.connect(model)
