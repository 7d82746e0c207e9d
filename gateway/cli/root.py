"""The root of the command line, and how its commands end."""

import os
from pathlib import Path
from typing import Any

import click
from click.exceptions import Abort, Exit, NoArgsIsHelpError

from gateway import __version__
from gateway.cli.context import Context
from gateway.cli.endings import USAGE, Wrong
from gateway.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "serve": Lazy("gateway.cli.serve:serve", "Run the gateway."),
    "models": Lazy("gateway.cli.models:group", "Add, list, change, test and remove models."),
    "providers": Lazy("gateway.cli.providers:group", "Tell which providers models can name."),
    "routes": Lazy("gateway.cli.routes:group", "Add, list, change, test and remove names for several models."),
    "import": Lazy("gateway.cli.importing:group", "Move in from another system."),
    "keys": Lazy("gateway.cli.keys:group", "Create, list, limit, rotate and revoke virtual keys."),
    "usage": Lazy("gateway.cli.usage:group", "Sum up what was consumed."),
    "db": Lazy("gateway.cli.db:group", "Look after the database's schema."),
    "secrets": Lazy("gateway.cli.secrets:group", "Look after the keys that seal secrets in the database."),
    "chat": Lazy("gateway.cli.chat:chat", "Ask a model through a running gateway."),
    "doctor": Lazy("gateway.cli.doctor:doctor", "Find what is broken, and the command that repairs it."),
    "explain": Lazy("gateway.cli.explain:explain", "Show how a request would be answered."),
    "plugins": Lazy("gateway.cli.plugins:group", "Tell which plugins there are and what they do."),
    "completion": Lazy("gateway.cli.completion:completion", "Print what completes commands in a shell."),
}
_EPILOG = """Exit codes: 0 = done, 1 = failed, 2 = wrong arguments or settings.

Settings come from gateway.toml (or --config, or GATEWAY_CONFIG), the environment (GATEWAY_*) over it, and options
over both. GATEWAY_DEBUG=1 shows the traceback of an unexpected error."""


class _Root(LazyGroup):
    """Ends every command in words: expected failures in one sentence, unexpected ones in one line."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the options before the command, whose name a plugin may have to explain by the settings."""
        try:
            ctx = super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _in_words(error) from error
        ctx.obj = Context(ctx.params["config"])
        return ctx

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (Exit, Abort, BrokenPipeError):
            raise
        except click.UsageError as error:
            raise _in_words(error) from error
        except click.ClickException as error:
            return _end(ctx, error.format_message(), error.exit_code)
        except Exception as error:
            if os.environ.get("GATEWAY_DEBUG"):
                raise
            from gateway.runtime import PluginSettingsError
            from gateway.settings import SettingsError

            if isinstance(error, SettingsError | PluginSettingsError):
                return _end(ctx, str(error), USAGE)
            if isinstance(error, _expected()):
                return _end(ctx, str(error), 1)
            kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
            return _end(ctx, f"{kind}: {error}\nThis is unexpected. Run it again with GATEWAY_DEBUG=1 to see more.", 1)


def _in_words(error: click.UsageError) -> click.ClickException:
    """One line, where click prints the usage around it; a group called alone still shows its help."""
    if isinstance(error, NoArgsIsHelpError) or error.ctx is None:
        return error
    message = error.format_message()
    stop = "" if message.endswith((".", "?")) else "."
    return Wrong(f"{message}{stop} See `{error.ctx.command_path} --help`.")


def _end(ctx: click.Context, message: str, code: int) -> object:
    click.echo(f"Error: {message}", err=True)
    ctx.exit(code)


def _expected() -> tuple[type[Exception], ...]:
    """The failures whose message is written for the user; imported only once something has failed."""
    from gateway.registry.errors import RegistryError
    from gateway.runtime import PluginLoadError
    from gateway.server.listening import AddressInUse
    from gateway.settings.limits import InvalidValue

    return RegistryError, InvalidValue, PluginLoadError, AddressInUse


@click.group(
    cls=_Root,
    lazy=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file, instead of gateway.toml."
)
@click.version_option(__version__, prog_name="litestar-gateway", message="%(prog)s %(version)s")
def main(config: Path | None) -> None:
    """A streaming LLM gateway: truthful, pluggable, fast, safe."""
