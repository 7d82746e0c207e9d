"""Load and assemble the plugins as `serve` would, and serve nothing."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.runtime import Generation, PluginEntry, PluginLoadError, Plugins, assemble, load_plugins
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.domain import Principal
    from gateway.egress import EgressClient
    from gateway.protocols import ClientDialect, Gateway, Logger, Receive, Send, Snapshot, Stats


class DryRun(NamedTuple):
    """What would serve, and why it would not."""

    plugins: Plugins
    """With the state each would have."""
    generation: Generation | None
    """None when the server would refuse to start."""
    problems: tuple[str, ...]
    """Why it would, one sentence each."""


def dry_run(settings: Settings) -> DryRun:
    """Whatever is wrong with the plugins is told, never raised."""
    plugins = load_plugins(settings)
    problems = plugins.problems()
    try:
        generation = assemble(plugins, lambda entry: _Door(settings, entry), 1)
    except PluginLoadError as error:
        return DryRun(plugins.told(error.failed), None, (*problems, *str(error).splitlines()))
    failed, refused = _add_to_application(generation)
    problems += refused
    return DryRun(plugins.told({**generation.failed, **failed}), None if problems else generation, problems)


def _add_to_application(generation: Generation) -> tuple[dict[str, str], tuple[str, ...]]:
    """The plugins whose `on_app_init` fails, and the sentences about those that are needed."""
    from litestar.config.app import AppConfig

    failed: dict[str, str] = {}
    refused = []
    for registered in generation.app_inits:
        try:
            registered.object(AppConfig())
        except PluginLoadError as error:
            failed |= error.failed
            refused += [] if registered.plugin in generation.spared else [str(error)]
    return failed, tuple(refused)


class _Door:
    """What a hook may use while it is called; what opens with the server stays closed."""

    def __init__(self, settings: Settings, entry: PluginEntry) -> None:
        self._settings = settings
        self._entry = entry
        self.state = SimpleNamespace()
        """The plugin's own."""

    @property
    def settings(self) -> Any:
        """The plugin's own section."""
        return self._entry.settings

    @property
    def log(self) -> "Logger":
        """Bound to the plugin's name."""
        from gateway.app.log import FieldLogger

        return FieldLogger(f"gateway.plugins.{self._entry.name}", plugin=self._entry.name)

    @property
    def egress(self) -> "EgressClient":
        """A door that nobody goes through: hooks keep it, requests use it."""
        from gateway.egress import EgressClient, EgressPolicy

        return EgressClient(EgressPolicy(allow=self._settings.egress.allow))

    @property
    def serving(self) -> Settings:
        """Where the gateway would be served."""
        return self._settings

    @property
    def snapshot(self) -> "Snapshot":
        """There is none: the registry is not open."""
        raise RuntimeError("the registry is not open yet: ask for the snapshot when a request is served")

    @property
    def database(self) -> Any:
        """There is none, either."""
        raise RuntimeError("the registry is not open yet: use the database when the gateway serves")

    @property
    def stats(self) -> "Stats":
        """Nothing has happened."""
        from gateway.protocols import Stats

        return Stats()

    async def serve(
        self,
        scope: Any,
        receive: "Receive",
        send: "Send",
        dialect: "ClientDialect",
        *,
        anonymous: "Principal | None" = None,
    ) -> None:
        """Nothing is served."""
        raise RuntimeError("nothing is served while plugins are only looked at")


if TYPE_CHECKING:
    _: type[Gateway] = _Door
