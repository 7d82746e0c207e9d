"""A command group that imports a command only when it is run."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import click

_ANNOUNCED = "litestar_gateway.commands"


class Lazy(NamedTuple):
    """Where a command is, and what `--help` says of it without looking."""

    place: str
    """`module:attribute`."""
    help: str


class LazyGroup(click.Group):
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
            return click.Command(name=cmd_name, help=self._lazy[cmd_name].help)
        if cmd_name in self._announced():
            return click.Command(name=cmd_name, help="Added by a plugin.")
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
        if not name.startswith("-"):
            if self._takes_announced and (command := _load_from_file(ctx, name)) is not None:
                return name, command, args[1:]
            ctx.fail(f"No such command {name!r}.{_nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def _announced(self) -> set[str]:
        """The commands that installed distributions announce; none of their code is imported."""
        return entry_points(group=_ANNOUNCED).names if self._takes_announced else set()


def _nearest(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _load_from_file(ctx: click.Context, name: str) -> click.Command | None:
    """The command of that name that a single file of the settings adds; wrong settings name no file."""
    from gateway.runtime.commands import register_file_commands
    from gateway.settings import SettingsError, load_settings

    try:
        settings = load_settings(ctx.obj.config)
    except SettingsError:
        return None
    collected = click.Group(name="plugins")
    register_file_commands(collected, settings)
    return collected.commands.get(name)


def _load_from_plugin(ctx: click.Context, name: str) -> click.Command:
    from gateway.runtime.commands import register_commands

    collected = click.Group(name="plugins")
    register_commands(collected, name, ctx.obj.settings())
    return collected.commands[name]
