"""Plugins that do nothing, one of each kind in a file of its own: what is left is what a plugin costs."""

from pathlib import Path

KINDS = {
    "observers": (
        "register_stream_observers",
        """
class Noop:
    def start(self, exchange):
        return self.look

    def look(self, events):
        pass
""",
    ),
    "delta_observers": (
        "register_stream_observers",
        """
class Noop:
    wants = frozenset({Start, Text, Usage, Finish, End, Failure})

    def start(self, exchange):
        return self.look

    def look(self, events):
        pass
""",
    ),
    "request_transforms": (
        "register_request_transforms",
        """
class Noop:
    async def transform(self, request, exchange):
        return request
""",
    ),
    "stream_transforms": (
        "register_stream_transforms",
        """
class Noop:
    def start(self, exchange):
        return self.step

    def step(self, events):
        return events
""",
    ),
    "limiters": (
        "register_limiters",
        """
class Noop:
    async def acquire(self, exchange):
        pass

    async def settle(self, exchange):
        pass
""",
    ),
    "usage_sinks": (
        "register_usage_sinks",
        """
class Noop:
    async def write(self, records):
        pass
""",
    ),
}
"""Kind -> the hook that registers it, and the class."""


def write_plugins(kind: str, count: int, folder: Path, each: int = 1) -> tuple[Path, ...]:
    """`count` single-file plugins of that kind, `each` with so many objects that do nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    hook, source = KINDS[kind]
    text = (
        "from gateway import hookimpl\n"
        "from gateway.events import End, Failure, Finish, Start, Text, Usage\n"
        f"\n{source}\n\n@hookimpl\ndef {hook}():\n    return [Noop() for _ in range({each})]\n"
    )
    files = [folder / f"noop_{kind}_{chr(ord('a') + number)}.py" for number in range(count)]
    for file in files:
        file.write_text(text, "utf-8")
    return tuple(files)
