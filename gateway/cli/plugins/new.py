"""`gateway plugins new`: a plugin to start from, complete and tested."""

import json
import re
import shlex
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import NamedTuple

import click

from gateway import API_VERSION
from gateway.cli.endings import Failed

_GROUP = "litestar_gateway.plugins"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class _Kind(NamedTuple):
    module: str
    """The module of a package that does the work."""
    summary: str
    imports: tuple[str, ...] = ("pydantic>=2.12",)
    """What a package requires besides the gateway."""


_KINDS = {
    "provider": _Kind("provider", "speaks an upstream's own API"),
    "lookup": _Kind("lookup", "finds models"),
    "error-mapper": _Kind("mapper", "words an upstream's failures"),
    "authenticator": _Kind("authenticator", "tells who calls"),
    "limiter": _Kind("limiter", "limits what callers take"),
    "strategy": _Kind("strategy", "orders a route's models"),
    "transform": _Kind("transform", "changes requests before they are sent", ("msgspec>=0.20", "pydantic>=2.12")),
    "stream-transform": _Kind("transform", "changes answers as they stream", ("msgspec>=0.20", "pydantic>=2.12")),
    "observer": _Kind("observer", "looks at answers as they stream"),
    "sink": _Kind("sink", "keeps what attempts consumed"),
}


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(_KINDS)), required=True, help="What the plugin does.")
@click.option("--single-file", is_flag=True, help="Write one file for `--plugin`, nothing to install.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="Where to write; the current directory if not given.",
)
def new(name: str, kind: str, single_file: bool, directory: Path) -> None:
    """Write a plugin to start from: a package with settings and tests, or a single file.

    NAME is the short name: `acme` makes the distribution `gateway-acme` and the settings' table `[plugins.acme]`.
    Capitals become small, dashes underscores, and a `gateway-` in front is left out. What is written loads and
    passes its tests as it is.
    """
    short = _short_name(name)
    values = _values(short, kind)
    if single_file:
        target = directory / f"{short}.py"
        _refuse_existing(target)
        _write(target, f"{kind}/single.py", values)
        click.echo(f"Created {target}\n\nNext:")
        _print_commands(f"gateway plugins check {_argument(target)}", f"gateway serve --plugin {_argument(target)}")
        return
    target = directory / short
    _refuse_existing(target)
    click.echo(f"Created {target}:")
    for path, template in _package(short, kind).items():
        _write(target / path, template, values)
        click.echo(f"  {path}")
    click.echo("\nNext:")
    place = _argument(target)
    switch = f"GATEWAY_PLUGINS__{short.upper()}__ENABLED=true"
    _print_commands(
        f"pip install -e {place}", f"gateway plugins check {short}", f"pytest {place}", f"{switch} gateway serve"
    )


def _short_name(name: str) -> str:
    """The name as settings write it; ends the command when it can be none, or is taken."""
    short = re.sub(r"[-.]", "_", name.lower()).removeprefix("gateway_")
    if not _NAME.fullmatch(short):
        raise click.UsageError(
            f"'{name}' cannot be a plugin's name: "
            "write letters, digits and single dashes or underscores, a letter first"
        )
    for point in entry_points(group=_GROUP, name=short):
        owner = point.dist.name if point.dist else "another distribution"
        raise click.UsageError(f"a plugin called '{short}' is already there, of '{owner}'; choose another name")
    if short != name:
        click.echo(f"'{name}' is called '{short}' in settings and commands.", err=True)
    return short


def _values(short: str, kind: str) -> dict[str, str]:
    """What stands for `$...` in a template."""
    return {
        "name": short,
        "Name": "".join(part.capitalize() for part in short.split("_")),
        "NAME": short.upper(),
        "distribution": f"gateway-{short.replace('_', '-')}",
        "package": f"gateway_{short}",
        "kind": kind,
        "module": _KINDS[kind].module,
        "summary": _KINDS[kind].summary,
        "requires": json.dumps(["litestar-gateway", *_KINDS[kind].imports]),
        "api": API_VERSION,
    }


def _package(short: str, kind: str) -> dict[str, str]:
    """The files of a package and the templates they are made from; an empty one from none."""
    package = f"gateway_{short}"
    declared = f"{kind}/conformance.py"
    return {
        "pyproject.toml": "package/pyproject.toml",
        "README.md": "package/README.md",
        f"{package}/__init__.py": f"{kind}/hooks.py",
        f"{package}/{_KINDS[kind].module}.py": f"{kind}/work.py",
        f"{package}/settings.py": f"{kind}/settings.py",
        **({f"{package}/conformance.py": declared} if _template(declared).is_file() else {}),
        f"{package}/py.typed": "",
        f"tests/test_{short}.py": f"{kind}/test.py",
    }


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise Failed(f"{target} is already there; nothing was written")


def _write(target: Path, template: str, values: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = Template(_template(template).read_text("utf-8")).substitute(values) if template else ""
    with target.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _template(path: str) -> Traversable:
    # The suffix keeps type checkers and test collectors away: `$Name` is no Python.
    return files("gateway.cli").joinpath("templates", f"{path}.tmpl")


def _argument(path: Path) -> str:
    # A bare name would be taken for a module by some tools, `./acme.py` never.
    shown = path.as_posix()
    return shlex.quote(shown if path.is_absolute() or "/" in shown or path.suffix == "" else f"./{shown}")


def _print_commands(*commands: str) -> None:
    for command in commands:
        click.echo(f"  {command}")
