"""A command group that imports a command only when it is run."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import rich_click as click

_ANNOUNCED = "litestar_gateway.commands"


class Lazy(NamedTuple):
    """Where a command is, and what `--help` says of it without looking."""

    place: str
    """`module:attribute`."""
    help: str


class LazyGroup(click.RichGroup):
    """Lists commands from a table, and, if `announced`, those of plugins from the metadata of distributions."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], announced: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lazy = lazy
        self._takes_announced = announced

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours in the table's order, then the plugins' by name."""
        return [*self._lazy, *sorted(self._announced() - self._lazy.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A stand-in that knows name and help; `resolve_command` loads the real one."""
        if cmd_name in self._lazy:
            return click.RichCommand(name=cmd_name, help=self._lazy[cmd_name].help)
        if cmd_name in self._announced():
            return click.RichCommand(name=cmd_name, help="Added by a plugin.")
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The real command that the arguments name."""
        name = args[0]
        if name in self._lazy:
            module, _, attribute = self._lazy[name].place.partition(":")
            return name, getattr(import_module(module), attribute), args[1:]
        if self.get_command(ctx, name) is not None:
            return name, _load_from_plugin(ctx, name), args[1:]
        return super().resolve_command(ctx, args)

    def _announced(self) -> set[str]:
        """The commands that installed distributions announce; none of their code is imported."""
        return entry_points(group=_ANNOUNCED).names if self._takes_announced else set()


def _load_from_plugin(ctx: click.Context, name: str) -> click.Command:
    from gateway.runtime.commands import register_commands

    collected = click.RichGroup(name="plugins")
    register_commands(collected, name, ctx.obj.settings())
    return collected.commands[name]
