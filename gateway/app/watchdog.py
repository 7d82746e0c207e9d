"""Says in the log which plugin holds up the event loop."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from gateway.protocols import Logger
from gateway.runtime import Plugins
from gateway.runtime.blocking import Blocked, LoopWatch

_AGAIN: Final = 60.0
"""Seconds in which one plugin is told once."""


def watchdog(plugins: Callable[[], Plugins], log: Logger, seconds: float) -> AbstractContextManager[Any]:
    """To be entered on the loop's thread, for as long as it is watched; 0 seconds watch nothing."""
    if not seconds:
        return nullcontext()
    told: dict[str, float] = {}

    def tell(blocked: Blocked) -> None:
        now = time.monotonic()
        if now - told.get(blocked.plugin, -_AGAIN) >= _AGAIN:
            told[blocked.plugin] = now
            log.warning("plugin_blocks_the_loop", plugin=blocked.plugin, where=blocked.where)

    return LoopWatch(lambda: _places(plugins()), tell, seconds=seconds)


def _places(plugins: Plugins) -> Mapping[Path, str]:
    """Where the plugins' code is: single files, modules and the folders of packages."""
    places: dict[Path, str] = {}
    for entry in plugins.active:
        module = sys.modules.get(entry.origin)
        file = Path((module.__file__ if module is not None else None) or entry.origin)
        places[file.parent if file.name == "__init__.py" else file] = entry.name
    return places
