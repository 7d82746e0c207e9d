"""The order in which the doctor looks, and what it does where it cannot."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.doctor import machine
from gateway.cli.doctor.finding import Finding, State, command, failed, ok, warning
from gateway.cli.doctor.hiding import hidden
from gateway.cli.doctor.repairs import Repairs
from gateway.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from gateway.cli.doctor.storage import Stored


class Examination:
    """One look at everything; where something is broken, the rest is looked at all the same."""

    def __init__(self, config: Path | None, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ
        self._problems: Sequence[str] = ()
        self._database: Stored | None = None
        self._settings: Settings | None = None
        try:
            self._settings = load_settings(config, environ)
        except SettingsError as error:
            self._problems, self._settings = error.problems, error.rest
        self._repairs = Repairs(self._files(), self._data_dir())

    def _data_dir(self) -> Path:
        return self._settings.data_dir if self._settings is not None else Path()

    def _files(self) -> tuple[Path, ...]:
        named = (self._config, self._environ.get("GATEWAY_CONFIG"), "gateway.toml", self._data_dir() / "gateway.toml")
        return tuple(Path(file) for file in named if file)

    def findings(self) -> Iterator[Finding]:
        """Everything, in an order in which causes come before what follows from them; no secret in any of it."""
        secrets = hidden(self._settings, self._environ)
        for finding in self._unmasked():
            yield Finding(finding.check, finding.state, secrets.taken_from(finding.finding), self._same(finding.fix))

    def _same(self, fix: str) -> str:
        """The repair with the settings file that we were given."""
        if self._config is None or fix == "gateway doctor" or not fix.startswith("gateway "):
            return fix
        return f"{command('gateway', '--config', self._config)} {fix.removeprefix('gateway ')}"

    def _unmasked(self) -> Iterator[Finding]:
        yield from _looked("python", machine.python)
        yield from self._told_settings()
        yield from _looked("certificates", lambda: machine.certificates(self._environ))
        yield from _looked("proxies", lambda: machine.proxies(self._environ))
        if (settings := self._settings) is None:
            return
        yield from self._stored(settings)
        yield from _looked("port", lambda: machine.port(settings))
        yield from _looked("egress", lambda: machine.egress(settings))
        models = self._database.models if self._database is not None else ()
        if models and self._allow_is_known(settings):
            from gateway.cli.doctor.base_urls import base_urls

            yield from _looked("base urls", lambda: base_urls(settings, models))
        yield from _looked("plugins", lambda: _plugins(settings, self._repairs, self._database))

    def _allow_is_known(self, settings: Settings) -> bool:
        """Whether `egress` is as it was written: without its wrong entries, right ones would seem to be missing."""
        return "egress" in settings.model_fields_set or not any(path[0] == "egress" for path in settings.origins)

    def _told_settings(self) -> Iterator[Finding]:
        for problem in self._problems:
            # An option of the doctor's own command line is repaired by leaving it out.
            fix = "gateway doctor" if problem.startswith("--config") else self._repairs.of(problem)
            yield failed("settings", problem, fix)
        if self._settings is None:
            return
        for text in self._settings.warnings:
            yield warning("settings", text, self._repairs.of(text))
        if not self._problems:
            read = next((str(file) for file in self._files() if file.is_file()), "no file")
            yield ok("settings", f"from {read} and the environment")

    def _stored(self, settings: Settings) -> Iterator[Finding]:
        from gateway.cli.doctor import storage
        from gateway.cli.doctor.directory import data_directory

        can_be = True
        for finding in _looked("data directory", lambda: data_directory(settings)):
            yield finding
            can_be = finding.state is not State.FAILED or os.path.isdir(settings.data_dir)
        if not can_be:  # told once: nothing can be kept there
            return
        yield from _looked("keyring", lambda: storage.keyring(settings))
        stored = storage.Stored(settings)
        yield from _looked("database", lambda: _collected(stored))
        self._database = stored


def _collected(stored: "Stored") -> Iterable[Finding]:
    import asyncio

    async def collect() -> list[Finding]:
        return [finding async for finding in stored.findings()]

    return asyncio.run(collect())


def _plugins(settings: Settings, repairs: Repairs, stored: "Stored | None") -> Iterator[Finding]:
    from gateway.cli.doctor.plugins import plugins  # imports every plugin's surroundings

    return plugins(settings, repairs, stored)


def _looked(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as error:  # whatever is broken must not keep the rest from being looked at
        if os.environ.get("GATEWAY_DEBUG"):
            raise
        told = f"It could not be looked at ({type(error).__name__})."
        yield failed(name, told, command("env", "GATEWAY_DEBUG=1", "gateway", "doctor"))
