"""The gateway object each plugin's hooks receive."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.app.log import FieldLogger
from gateway.domain import Principal
from gateway.protocols import ClientDialect, Egress, Gateway, Logger, Receive, Send, Serving, Snapshot, Stats
from gateway.runtime import PluginEntry

if TYPE_CHECKING:
    from gateway.app.application import Application


class Listening(msgspec.Struct, frozen=True):
    """Where the gateway is served; see `gateway.protocols.Serving`."""

    host: str
    port: int
    data_dir: Path


class PluginDoor:
    """What one plugin may use of the application; parts that open later are looked up when asked for."""

    __slots__ = ("_application", "_entry", "log", "state")

    def __init__(self, application: "Application", entry: PluginEntry) -> None:
        self._application = application
        self._entry = entry
        self.log: Logger = FieldLogger(f"gateway.plugins.{entry.name}", plugin=entry.name)
        """Bound to the plugin's name."""
        self.state = SimpleNamespace()
        """The plugin's own, of this generation."""

    @property
    def settings(self) -> Any:
        """The plugin's own section."""
        return self._entry.settings

    @property
    def egress(self) -> Egress:
        """The one door to upstreams."""
        return self._application.egress

    @property
    def snapshot(self) -> Snapshot:
        """The registry's newest snapshot; there is none before the application has started."""
        return self._application.registry.snapshot

    @property
    def database(self) -> Any:
        """The registry's open database; there is none before the application has started."""
        return self._application.registry.database

    @property
    def serving(self) -> Serving:
        """Where the gateway is served."""
        return self._application.listening

    @property
    def stats(self) -> Stats:
        """The numbers of this process now."""
        return self._application.stats()

    async def serve(
        self, scope: Any, receive: Receive, send: Send, dialect: ClientDialect, *, anonymous: Principal | None = None
    ) -> None:
        """Serve one exchange in a client dialect."""
        await self._application.pipeline.serve(scope, receive, send, dialect, anonymous=anonymous)


if TYPE_CHECKING:
    _: type[Gateway] = PluginDoor
