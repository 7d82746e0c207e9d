"""Replaces the plugins while the gateway serves: assembled, checked and opened first, then published at once."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import msgspec

from gateway.api import Draining, WorkerStatus
from gateway.app.surfaces import Assembled, Assembler
from gateway.app.workers import Workers
from gateway.errors import InvalidRequest, ShuttingDown
from gateway.protocols import Logger
from gateway.runtime import Faults, Generations, PluginEntry, PluginLoadError, State
from gateway.runtime.generations import OpenGeneration
from gateway.runtime.switching import SwitchRefused, UnknownPlugin, rolled_back, switched, write_switches
from gateway.settings import Settings, SettingsError, Switches, SwitchFile, apply_switches

POLL_SECONDS = 0.5
"""How often a worker looks for what another one, or the command line, has switched."""
_FOLLOW_SECONDS = 5.0
"""How long a change waits for the other workers before it is answered."""
_TAKEN_UP = frozenset({"plugins", "origins", "order", "plugin_start_seconds", "revision"})
"""What a reload takes from the settings; everything else counts from the next start."""
_NO_SETTINGS = frozenset({"warnings", "again"})


class Swap:
    """The one place that changes which generation serves; see `gateway.api.admin.Control`."""

    def __init__(
        self, settings: Settings, generations: Generations, assembler: Assembler, faults: Faults, log: Logger
    ) -> None:
        self._settings = settings
        self._generations = generations
        self._assembler = assembler
        self._faults = faults
        self._log = log
        self._file = SwitchFile(settings.data_dir)
        self._workers = Workers(settings.data_dir)
        self._lock = asyncio.Lock()
        self._first_read: Settings | None = None
        self._needs_restart: tuple[str, ...] = ()
        self._leaving = False
        self._tried = settings.revision
        self._reason = ""
        self.serving: Assembled
        """What new requests are served by; see `begin`."""

    def begin(self) -> None:
        """Assemble what serves first; raises `PluginLoadError`."""
        self.serving = self._assemble(self._settings)

    def plugins(self) -> Sequence[PluginEntry]:
        """Every plugin, as of the current generation."""
        return self.serving.plugins.told(self._generations.current.failed).entries

    def needs_restart(self) -> Sequence[str]:
        """Settings that were changed since the start and count from the next start only."""
        return self._needs_restart

    def workers(self) -> Sequence[WorkerStatus]:
        """Every serving process of this data directory, this one first."""
        return [self._status(), *self._workers.others()]

    async def switch(self, name: str, *, on: bool) -> None:
        """Serve from now on with this plugin, or without it."""
        async with self._turn():
            settings = await self._reread()
            with _refusing():
                change = switched(settings, name, on=on)
            await self._change(settings, change, wanted=name if on else None)
        await self._followed()

    async def reload(self) -> None:
        """Read settings and plugins anew."""
        async with self._turn():
            settings = await self._reread()
            await self._change(settings, self._file.read().repeated())
        await self._followed()

    async def rollback(self) -> None:
        """Take back the last switch."""
        async with self._turn():
            settings = await self._reread()
            with _refusing():
                change = rolled_back(settings)
            await self._change(settings, change)
        await self._followed()

    def leave(self) -> None:
        """This process ends: no change begins any more, and none waits for the others, which end as well."""
        self._leaving = True

    async def left(self, timeout: float) -> None:
        """Return when the change that is being made is made, or its time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._lock:
                pass

    async def follow(self) -> None:
        """Take up what other workers and the command line switch, and tell them; until cancelled."""
        try:
            while True:
                await asyncio.to_thread(self._workers.tell, self._status())
                await asyncio.sleep(POLL_SECONDS)
                try:
                    await self._catch_up()
                except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and following must go on
                    self._stay(str(error) or type(error).__name__)
        finally:
            self._workers.leave()

    async def remember_settings(self) -> None:
        """Note what the sources say at the start, to tell later what was changed."""
        with _refusing():
            self._first_read = await asyncio.to_thread(self._settings.again) if self._settings.again else None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Make a change, nobody else meanwhile; refused where the process ends before it is one's turn."""
        async with self._lock:
            if self._leaving:
                raise ShuttingDown("The gateway is shutting down: the change was not made.", retry_after=1)
            yield

    async def _catch_up(self) -> None:
        newest = self._file.read().revision
        if newest <= max(self._tried, self._generations.current.number):
            return
        async with self._lock:
            self._tried = max(self._tried, newest)
            settings = await self._reread()
            if settings.revision > self._generations.current.number:
                self._tried = settings.revision
                self._take_over(*await self._open(settings, None))

    async def _change(self, settings: Settings, change: Switches, wanted: str | None = None) -> None:
        """Serve with these switches, and let the others follow; nothing is written before everything is open."""
        number = max(change.revision, self._generations.current.number + 1)
        change = msgspec.structs.replace(change, revision=number)
        opened, assembled = await self._open(apply_switches(settings, change), wanted)
        try:
            with _refusing():
                await asyncio.to_thread(write_switches, settings, change)
        except BaseException:
            await self._generations.discard(opened)
            raise
        self._take_over(opened, assembled)

    async def _open(self, settings: Settings, wanted: str | None) -> tuple[OpenGeneration, Assembled]:
        """The next generation, open and not serving yet."""
        settings = self._settings.model_copy(update={name: getattr(settings, name) for name in _TAKEN_UP})
        with _refusing():
            assembled = await asyncio.to_thread(self._assemble, settings)
            opened = await self._generations.open(assembled.generation)
            try:
                self._check(assembled, opened, wanted)
            except PluginLoadError:
                await self._generations.discard(opened)
                raise
        return opened, assembled

    def _assemble(self, settings: Settings) -> Assembled:
        assembled = self._assembler.assemble(settings)
        for warning in assembled.plugins.warnings:
            self._log.warning("plugin_warning", reason=warning)
        return assembled

    def _check(self, assembled: Assembled, opened: OpenGeneration, wanted: str | None) -> None:
        """Raise when a plugin that serves now, or is to serve, does not work in the new generation."""
        needed = {entry.name for entry in self.plugins() if entry.state is State.ACTIVE} | {wanted}
        broken = [
            f"{entry.title}: {entry.reason}"
            for entry in assembled.plugins.told(opened.generation.failed).entries
            if (entry.name in needed and entry.state is State.FAILED)
            or (entry.name == wanted and entry.state is not State.ACTIVE)
        ]
        if broken:
            raise PluginLoadError("\n".join(broken))
        if self._generations.current.authenticators and not opened.generation.authenticators:
            raise PluginLoadError(
                "No authenticator would be left, so nobody could switch it on again:"
                " do this in the settings file and start the gateway anew."
            )

    def _take_over(self, opened: OpenGeneration, assembled: Assembled) -> None:
        # No await between these: a request sees the old generation or the new one, never a mixture.
        self._generations.take_over(opened)
        self.serving = assembled
        self._tried = max(self._tried, opened.generation.number)
        self._reason = ""
        self._log.info("generation_published", generation=opened.generation.number)

    def _stay(self, reason: str) -> None:
        """Go on with the current generation; say so once."""
        if reason != self._reason:
            self._log.error("generation_refused", generation=self._tried, reason=reason)
        self._reason = reason

    async def _reread(self) -> Settings:
        with _refusing():
            if self._settings.again is None:
                return apply_switches(self._settings, self._file.read())
            settings = await asyncio.to_thread(self._settings.again)
        self._needs_restart = tuple(_differences(self._first_read or settings, settings))
        if self._needs_restart:
            self._log.warning("restart_needed", reason=", ".join(self._needs_restart))
        return settings

    async def _followed(self) -> None:
        """Return when every other worker has taken up the current generation, or failed to, or is too slow."""
        number, until = self._generations.current.number, time.monotonic() + _FOLLOW_SECONDS
        await asyncio.to_thread(self._workers.tell, self._status())
        while any(other.revision < number for other in self._workers.others()):
            if self._leaving or time.monotonic() > until:
                return
            await asyncio.sleep(0.1)

    def _status(self) -> WorkerStatus:
        generations = self._generations
        return WorkerStatus(
            pid=os.getpid(),
            generation=generations.current.number,
            revision=max(self._tried, generations.current.number),
            exchanges=generations.exchanges,
            draining=tuple(Draining(old.number, old.exchanges) for old in generations.draining()),
            closed=generations.closed,
            reason=self._reason,
            faults=tuple(self._faults.report()),
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what keeps a change from being made into what the operator is answered."""
    try:
        yield
    except UnknownPlugin as error:
        raise InvalidRequest(str(error), status=404) from error
    except SwitchRefused as error:
        raise InvalidRequest(str(error), status=409) from error
    except (PluginLoadError, SettingsError) as error:
        raise InvalidRequest(str(error), status=422) from error


def _differences(before: Settings, now: Settings) -> Iterator[str]:
    for name in type(now).model_fields:
        if name not in _TAKEN_UP | _NO_SETTINGS and getattr(before, name) != getattr(now, name):
            yield name
