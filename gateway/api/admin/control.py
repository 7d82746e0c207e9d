"""What the control plane asks of the application it runs in."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.protocols import Fault
from gateway.runtime import PluginEntry


class Draining(msgspec.Struct, frozen=True):
    """An old generation that finishes what it began."""

    generation: int
    exchanges: int


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one serving process says of its generations."""

    pid: int
    generation: int
    """The one that new exchanges start with."""
    revision: int
    """The newest set of plugins it has taken up, or tried to."""
    exchanges: int = 0
    draining: tuple[Draining, ...] = ()
    closed: int = 0
    """Old generations whose last exchange has ended."""
    reason: str = ""
    """Why it does not serve the newest generation; empty when it does."""
    faults: tuple[Fault, ...] = ()
    """What plugins did wrong in it since its start."""


class Control(Protocol):
    """Plugins and generations as the operator may see and change them.

    Changes return when every worker has followed or a few seconds have passed, and raise `GatewayError` (404, 409, 422)
    with the reason, the old generation still serving.
    """

    def plugins(self) -> Sequence[PluginEntry]:
        """Every plugin, as of this worker's current generation."""
        ...

    def workers(self) -> Sequence[WorkerStatus]:
        """Every serving process, this one first."""
        ...

    def needs_restart(self) -> Sequence[str]:
        """Settings that were changed and count from the next start only."""
        ...

    async def switch(self, name: str, *, on: bool) -> None:
        """Serve from now on with this plugin, or without it."""
        ...

    async def reload(self) -> None:
        """Read settings and plugins anew."""
        ...

    async def rollback(self) -> None:
        """Take back the last switch."""
        ...
