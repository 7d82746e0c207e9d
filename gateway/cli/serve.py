"""`gateway serve`: run the gateway."""

import asyncio
import gc
import os
import shlex
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import click

from gateway.cli.context import Context

if TYPE_CHECKING:
    from gateway.cli.demo import Demo
    from gateway.runtime import Plugins
    from gateway.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)
_PLUGIN = click.Path(path_type=Path, dir_okay=False, exists=True)
_DEV_WATCHDOG = 0.25


class _Options(NamedTuple):
    workers: int
    demo: bool
    dev: bool


class _Prepared(NamedTuple):
    """What was made or found before serving."""

    admin_key: Path | None
    keyring: Path | None
    demo: "Demo | None"


@click.command()
@click.option("--host", help="Address to listen on. Default: 127.0.0.1")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 = any free one. Default: 8000")
@click.option("--workers", type=click.IntRange(1, 256), default=1, help="Serving processes. Default: 1")
@click.option("--demo", is_flag=True, help="Add a model that answers at once, and print a request to try.")
@click.option("--dev", is_flag=True, help="Start anew when source changes, and tell which line of a plugin blocks.")
@click.option("--config", type=_FILE, help="Settings file, instead of gateway.toml.")
@click.option("--plugin", "plugins", type=_PLUGIN, multiple=True, help="A plugin in a single file; may be repeated.")
@click.option("--safe", is_flag=True, help="Load only the gateway's own plugins.")
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    host: str | None,
    port: int | None,
    config: Path | None,
    plugins: tuple[Path, ...],
    safe: bool,
    workers: int,
    demo: bool,
    dev: bool,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM; both let running answers end first.

    A second one ends them visibly and soon, a third one at once. SIGHUP reads settings and plugins anew, SIGUSR2
    replaces the workers of several one by one. `/health/ready` tells a load balancer when to send traffic.
    """
    context: Context = ctx.obj
    context.config = config or context.config
    settings = context.settings(host=host, port=port, safe_mode=safe or None)
    settings = settings.model_copy(update={"plugin_files": (*settings.plugin_files, *(p.absolute() for p in plugins))})
    with ExitStack() as stack:
        stack.callback(gc.enable)
        gc.disable()  # until the server listens (`gateway.server.running`): what a start makes stays
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end_at_once)  # to the end: the server leaves its own there, see `let_go`
        code = _serve(context, settings, _Options(workers, demo, dev), stack)
    ctx.exit(code)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """Until the server has handlers of its own there is nothing to finish; an exception would end up anywhere."""
    os._exit(128 + number)


def _serve(context: Context, settings: "Settings", options: _Options, stack: ExitStack) -> int:
    # Bound before anything is made, so that a port in use is the first thing to be told.
    from gateway.server.listening import bind

    listener = stack.enter_context(bind(settings.host, settings.port))
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    demo_port = None
    if options.demo:
        from gateway.cli.demo import demo_upstream

        demo_port = stack.enter_context(demo_upstream())
        settings = _allowing(settings, f"127.0.0.1:{demo_port}")
    prepared = asyncio.run(_prepare(settings, demo_port))
    if not options.dev and options.workers == 1:
        return _run_here(settings, prepared, listener)
    return _run_processes(context, settings, options, prepared, listener)


def _run_here(settings: "Settings", prepared: _Prepared, listener: socket.socket) -> int:
    from gateway.app import create
    from gateway.server.running import run

    application = create(settings)
    _show_banner(settings, prepared, application.plugins)
    try:
        run(application, listener)
    except SystemExit:
        return 1  # the log has said why it did not start
    return 0


def _run_processes(
    context: Context, settings: "Settings", options: _Options, prepared: _Prepared, listener: socket.socket
) -> int:
    from gateway.app.log import configure
    from gateway.app.unprovided import refuse_unprovided
    from gateway.cli.plugins.dry import dry_run
    from gateway.cli.worker import environment, reloaded, serve_worker

    # Assembled here too: what is wrong with one is told once, and not by every worker.
    plugins, generation, problems = dry_run(settings)
    if problems and not options.dev:
        raise plugins.refusal(problems)
    if generation is not None:
        refuse_unprovided(settings, generation)
    _show_banner(settings, prepared, plugins)
    if options.dev and settings.watchdog_seconds:
        # Whoever writes a plugin wants to know before anybody waits.
        settings = settings.model_copy(update={"watchdog_seconds": min(_DEV_WATCHDOG, settings.watchdog_seconds)})
    os.environ.update(environment(settings, context.config))
    gc.enable()  # here only the workers are watched
    if options.dev:
        from gateway.server.reloading import run_reloading

        folders = [Path(__file__).parents[1], *(file.parent for file in settings.plugin_files)]
        run_reloading(reloaded, listener, folders)
        return 0
    from gateway.runtime.switching import ask_to_reload
    from gateway.server.supervisor import Supervisor

    configure(settings.log_level)
    return Supervisor(serve_worker, listener, options.workers, lambda: ask_to_reload(settings)).run()


def _allowing(settings: "Settings", address: str) -> "Settings":
    egress = settings.egress
    return settings.model_copy(update={"egress": egress.model_copy(update={"allow": (*egress.allow, address)})})


async def _prepare(settings: "Settings", demo_port: int | None) -> _Prepared:
    """Open the database once before serving: what is wrong with it is told here, in one sentence."""
    from gateway.registry import Registry, ensure_first_admin_key

    keyring = settings.data_dir / "keyring"
    is_new = not settings.secret_keys and not keyring.exists()
    registry = await Registry.open(settings)
    try:
        demo = admin_key = None
        if registry.is_open:
            admin_key = await ensure_first_admin_key(registry, settings.data_dir)
        if demo_port is not None:
            from gateway.cli.demo import ensure_demo

            demo = await ensure_demo(registry, settings.data_dir, demo_port)
    finally:
        await registry.aclose()
    return _Prepared(admin_key, keyring if is_new and keyring.exists() else None, demo)


def _show_banner(settings: "Settings", prepared: _Prepared, plugins: "Plugins") -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    lines = [("Listening on", url), ("Data directory", settings.data_dir)]
    if prepared.keyring is not None:
        lines.append(("Keyring made", f"{prepared.keyring} (back it up: without it stored keys are lost)"))
    if prepared.admin_key is not None:
        lines.append(("Admin key made", prepared.admin_key))
    lines.append(("Plugins", ", ".join(entry.name for entry in plugins.active) or "none"))
    lines += [("Not serving", f"{entry.name}: {entry.reason}") for entry in plugins.entries if entry.failed]
    for title, text in lines:
        click.echo(f"{title + ':':16}{text}")
    if prepared.demo is not None:
        click.echo(f"\nThe demo model answers word by word. In another terminal:\n\n{_curl(url, prepared.demo)}\n")
    click.echo("Ctrl-C ends.")


def _curl(url: str, demo: "Demo") -> str:
    """A request that can be pasted; the key is read from its file, so it gets into no shell history."""
    body = (
        '{"chatSettings": {"model": "demo", "temperature": 0.5},'
        ' "messages": [{"role": "user", "content": "Hello, gateway!"}],'
        f' "customModelId": "{demo.model_id}"}}'
    )
    return (
        f'curl -N {url}/api/chat/custom -H "Authorization: Bearer $(cat {shlex.quote(str(demo.key_file))})"'
        f" -d {shlex.quote(body)}"
    )
