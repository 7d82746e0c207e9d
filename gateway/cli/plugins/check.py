"""`gateway plugins check`: the conformance suite for one plugin, without a test file."""

import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from gateway.cli.endings import USAGE
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.cli.context import Context

_GROUP = "litestar_gateway.plugins"
_FRAME = re.compile(r'\s*File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>\S+)')
_COLUMNS = ("kind", "check", "status", "reason")


@click.command("check")
@click.argument("plugin", metavar="PATH|NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--only", default="", metavar="TEXT", help="Make only the checks whose name holds this text.")
@click.option("--limit", default=90.0, show_default=True, help="Seconds that one check may take.")
@click.pass_obj
def check_plugin(context: "Context", plugin: str, as_json: bool, only: str, limit: float) -> None:
    """Show that a plugin keeps the contract: a file, an installed name, or the folder of an installed project.

    Runs what `gateway.testing.conformance` has for each of its kinds, against upstreams on this machine, and the
    `async def check` of its settings. Exit code 1 when anything failed, 2 when no check has the text of --only.
    """
    context.settings()  # wrong settings are told here, not by the process that checks
    rows = list(_results(_found(plugin), str(context.config or ""), only, limit))
    failed = [row for row in rows if row["status"] == "failed"]
    if as_json:
        print_json({"plugin": plugin, "passed": bool(rows) and not failed, "checks": rows})
    elif rows:
        shown = [[row["kind"], row["check"], row["status"], row["message"] or None] for row in rows]
        print_rows(_COLUMNS, shown, empty="")
        count = {status: sum(row["status"] == status for row in rows) for status in ("passed", "skipped", "failed")}
        click.echo(", ".join(f"{number} {status}" for status, number in count.items()), err=True)
    if not rows:
        raise _refusal(f"no check of '{plugin}' has '{only}' in its name; `gateway plugins check {plugin}` lists them")
    if failed:
        raise Exit(1)


def _found(plugin: str) -> str:
    """The file or the short name that the argument means; ends the command when there is none."""
    path = Path(plugin)
    if path.suffix == ".py":
        if path.is_file():
            return str(path.resolve())
        raise _refusal(f"there is no file {plugin}")
    names = _installed()
    if path.is_dir():
        own = _project(path)
        if own is not None:
            if own in names:
                return own
            raise _refusal(f"the plugin '{own}' of {plugin} is not installed: pip install -e {plugin}")
    if plugin in names:
        return plugin
    if path.is_dir():
        raise _refusal(f"{plugin} has no pyproject.toml with an entry point of the group {_GROUP}")
    raise _refusal(f"'{plugin}' is neither a file nor an installed plugin; installed are: {', '.join(sorted(names))}")


def _installed() -> set[str]:
    from importlib.metadata import entry_points

    return entry_points(group=_GROUP).names


def _project(folder: Path) -> str | None:
    """The short name of the plugin whose project is in that folder."""
    import tomllib

    file = folder / "pyproject.toml"
    if not file.is_file():
        return None
    try:
        points = tomllib.loads(file.read_text("utf-8"))["project"]["entry-points"][_GROUP]
    except (KeyError, TypeError, ValueError):
        return None
    return next(iter(points), None)


def _refusal(sentence: str) -> Exit:
    click.echo(f"Error: {sentence}", err=True)
    return Exit(USAGE)


def _results(plugin: str, config: str, only: str, limit: float) -> Iterator[dict[str, Any]]:
    """One row for each check, from a process of its own: a plugin may hang in it, or end it."""
    from gateway.testing.conformance.__main__ import MARK

    command = [sys.executable, "-m", "gateway.testing.conformance", plugin, config, only, str(limit)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")  # noqa: S603
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[str | None] = queue.Queue()
    said: list[str | None] = []
    readers = [
        threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, said.append), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        yield from _rows(lines, MARK, limit)
    except TimeoutError as hang:
        where = _place(said, plugin)
        yield {**hang.args[0], "status": "failed", "message": f"hangs: it did not end within {limit:g} seconds{where}"}
    except EOFError as end:
        code = process.wait()
        last = next((line.strip() for line in reversed(said) if line and line.strip()), "")
        told = f"ended the process (exit code {code}) {last}".strip()
        yield {**end.args[0], "status": "failed", "message": told}
    finally:
        process.kill()
        process.wait()
        for reader, stream in zip(readers, (process.stdout, process.stderr), strict=True):
            reader.join(timeout=1.0)  # a process that the plugin left behind may hold the pipe
            stream.close()


def _read(stream: Any, take: Any) -> None:
    for line in stream:
        take(line)
    take(None)


def _place(said: list[str | None], plugin: str) -> str:
    """Where the plugin's code is, in the newest stack that the process wrote."""
    name = Path(plugin).stem
    for line in said:
        place = _FRAME.match(line or "")
        if place is not None and name in place["file"]:
            return f", in {Path(place['file']).name}:{place['line']} in {place['function']}"
    return ""


def _rows(lines: "queue.Queue[str | None]", mark: str, limit: float) -> Iterator[dict[str, Any]]:
    import msgspec

    running = {"kind": "plugin", "check": "loads"}
    while True:
        try:
            line = lines.get(timeout=limit)
        except queue.Empty:
            raise TimeoutError(running) from None
        if line is None:
            raise EOFError(running)
        if not line.startswith(mark):
            continue
        told: dict[str, Any] = msgspec.json.decode(line[len(mark) :])
        if "begin" in told:
            running = dict(zip(("kind", "check"), told["begin"], strict=True))
            continue
        if "end" in told:
            return
        yield told
