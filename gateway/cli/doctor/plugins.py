"""Whether every plugin that is to serve can, and what each says of itself."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gateway.app.unprovided import unprovided
from gateway.cli.doctor.finding import Finding, command, failed, ok, warning
from gateway.cli.doctor.hiding import Hidden, typed
from gateway.cli.doctor.routes import routes
from gateway.cli.plugins.dry import dry_run
from gateway.runtime import PluginEntry
from gateway.runtime.watch import within
from gateway.settings import Settings, managed_by, nearest

if TYPE_CHECKING:
    from gateway.cli.doctor.repairs import Repairs
    from gateway.cli.doctor.storage import Stored

_CHECK = "plugins"
_SECONDS = 15.0


def plugins(settings: Settings, repairs: "Repairs", stored: "Stored | None") -> Iterator[Finding]:
    """Load and assemble them as the server does, run the `check` of their settings, and look for what models and
    routes need of them.
    """
    found, generation, problems = dry_run(settings)
    if not found.entries:
        told = "The gateway's own plugins are not installed: nothing is served."
        yield failed(_CHECK, told, "pip install --force-reinstall litestar-gateway")
        return
    told_already = set(found.wrong_settings)
    for problem in found.wrong_settings:
        yield failed(_CHECK, problem, repairs.of(problem))
    for entry in found.entries:
        if entry.failed and not told_already & set(entry.reason.split("; ")):
            state = failed if entry.needed else warning
            yield state(_CHECK, f"{entry.title}: {entry.reason}", _off(settings, entry.name))
            told_already |= {one for one in problems if entry.name in one}
    for problem in problems:
        if problem not in told_already:
            yield failed(_CHECK, problem, repairs.of(problem) or "gateway plugins list")
    for text in found.warnings:
        yield warning(_CHECK, text, repairs.of(text))
    for entry in found.active:
        yield from _own_check(settings, entry)
    if generation is not None:
        for problem in unprovided(settings, generation):
            yield failed("settings", problem, repairs.of(problem))
        if stored is not None:
            yield from _unprovided(stored.models, generation.providers)
            yield from routes(settings, stored, ("ordered", *generation.strategies))
    yield ok(_CHECK, f"active: {', '.join(entry.name for entry in found.active) or 'none'}")


def _unprovided(models: Sequence[Any], providers: Collection[str]) -> Iterator[Finding]:
    """The enabled models whose provider nobody brings."""
    for model in models:
        if model.provider not in providers:
            near = nearest(model.provider, providers)
            told = f"no enabled plugin brings the provider {model.provider!r}"
            guess = f"; did you mean {near!r}?" if near else "."
            change = ("--provider", near) if near else ("--disable",)
            fix = command("gateway", "models", "update", model.id, *change)
            yield failed(_CHECK, f"model {model.name!r} ({model.id}): {told}{guess}", fix)


def _own_check(settings: Settings, entry: PluginEntry) -> Iterator[Finding]:
    """What the plugin itself says about its settings: `async def check`, as in `gateway plugins check`."""
    check = getattr(entry.settings, "check", None)
    if check is None:
        return
    try:
        within(_SECONDS, lambda: asyncio.run(check()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the border: a plugin's code may raise anything
        said = Hidden(typed(entry.settings)).taken_from(str(error))
        told = f"{entry.title}: its own check says {type(error).__name__}: {said}"
        yield failed(_CHECK, told, _off(settings, entry.name))
    else:
        yield ok(_CHECK, f"{entry.title}: its own check passed")


def _off(settings: Settings, name: str) -> str:
    """The command that lets the gateway serve without it."""
    if managed_by(settings, name) is None:
        return command("gateway", "plugins", "disable", name)
    return command("export", f"GATEWAY_PLUGINS__{name.upper()}__ENABLED=false")
