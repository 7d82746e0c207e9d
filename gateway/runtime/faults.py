"""Faults of plugins that need not stop an exchange: counted, and quarantined when they go on."""

import time
from collections.abc import Callable

from gateway.protocols import Fault

PATIENCE = 10
"""Failures in a row after which a plugin's stage is left out."""
QUARANTINE = 60.0
"""Seconds until it is tried again."""


class _State:
    __slots__ = ("failures", "in_a_row", "until")

    def __init__(self) -> None:
        self.failures = self.in_a_row = 0
        self.until = 0.0


class Faults:
    """Remembers by plugin and stage; only stages that may be left out ask `quarantined`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[tuple[str, str], _State] = {}

    def failed(self, plugin: str, stage: str) -> bool:
        """Count a failure; True when it is the one that begins a quarantine."""
        state = self._states.setdefault((plugin, stage), _State())
        state.failures += 1
        state.in_a_row += 1
        if state.in_a_row < PATIENCE:
            return False
        state.until, begins = self._clock() + QUARANTINE, state.until <= self._clock()
        return begins

    def worked(self, plugin: str, stage: str) -> None:
        """Forget the failures in a row."""
        if self._states and (state := self._states.get((plugin, stage))) is not None:
            state.in_a_row = 0

    def quarantined(self, plugin: str, stage: str) -> bool:
        """Whether the plugin's stage is to be left out for now."""
        if not self._states:
            return False
        state = self._states.get((plugin, stage))
        return state is not None and state.until > self._clock()

    def report(self) -> list[Fault]:
        """Every plugin and stage that ever failed."""
        now = self._clock()
        return [
            Fault(plugin=plugin, stage=stage, failures=state.failures, quarantined=state.until > now)
            for (plugin, stage), state in self._states.items()
        ]
