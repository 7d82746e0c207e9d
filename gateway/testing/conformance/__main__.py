"""`python -m gateway.testing.conformance PLUGIN`: the checks in a process of their own, one JSON line for each.

A plugin may hang, print or end the process: `gateway plugins check` reads the lines and knows which check did it.
"""

import asyncio
import faulthandler
import sys
from pathlib import Path
from typing import Any

import msgspec

from gateway.runtime import load_plugins
from gateway.settings import load_settings
from gateway.testing.conformance.run import Result, run

MARK = "\x1e"
"""Before each of our lines: what the plugin prints has none."""


def main(plugin: str, config: str = "", only: str = "", limit: str = "90") -> None:
    """Run every check; the operator's own section counts where the plugin declares nothing else."""
    settings = load_settings(Path(config) if config else None)
    name = Path(plugin).stem if plugin.endswith(".py") else plugin
    section = {key: value for key, value in settings.plugins.get(name, {}).items() if key != "enabled"}
    for result in run(plugin, section, only=only, begin=lambda kind, check: _begin(kind, check, float(limit))):
        _tell(msgspec.to_builtins(result))
    if only in "settings check":
        _tell(msgspec.to_builtins(_own_check(plugin, name, section)))
    faulthandler.cancel_dump_traceback_later()
    _tell({"end": True})


def _own_check(plugin: str, name: str, section: dict[str, Any]) -> Result:
    """What the plugin's settings check themselves: `async def check(self)`, with the operator's own values."""
    from gateway.settings import Settings

    files = (Path(plugin),) if plugin.endswith(".py") else ()
    plugins = load_plugins(Settings(plugins={name: {**section, "enabled": True}}, plugin_files=files), only=name)
    settings = plugins.entries[0].settings if plugins.entries else None
    own = getattr(settings, "check", None)
    if own is None:
        return Result("settings", "check", "skipped", "its `Settings` has no `async def check`")
    _begin("settings", "check", 90.0)
    try:
        asyncio.run(own())
    except Exception as error:  # noqa: BLE001 - the border: foreign code may raise anything
        return Result("settings", "check", "failed", f"{type(error).__name__}: {error}")
    return Result("settings", "check", "passed")


def _begin(kind: str, check: str, limit: float) -> None:
    """Tell what runs next; just before its time is over, where it is goes to stderr."""
    _tell({"begin": [kind, check]})
    faulthandler.dump_traceback_later(limit * 0.9)


def _tell(line: Any) -> None:
    sys.stdout.write(f"\n{MARK}{msgspec.json.encode(line).decode()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
