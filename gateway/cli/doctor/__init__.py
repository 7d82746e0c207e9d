"""`gateway doctor`: what is wrong with this installation, and the command that repairs it."""

import os
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import click

from gateway.cli.output import print_json

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.cli.doctor.finding import Finding

_COLORS = (("ok", "green"), ("warning", "yellow"), ("failed", "red"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look at everything the gateway needs, and print the command that repairs what is broken.

    It starts whatever is broken, changes nothing and sends nothing to an upstream. Exit code 1 when anything failed;
    warnings alone are no failure.
    """
    from gateway.cli.doctor.examination import Examination
    from gateway.cli.doctor.finding import State

    context: Context = ctx.obj
    found: list[Finding] = []
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # plugins may print; what we say must stay readable by programs
        for finding in Examination(context.config, os.environ).findings():
            found.append(finding)
            if not as_json:
                _print(finding, out)
    failed = any(finding.state is State.FAILED for finding in found)
    if as_json:
        print_json({"ok": not failed, "findings": found})
    ctx.exit(1 if failed else 0)


def _print(finding: "Finding", out: object) -> None:
    state = click.style(f"{finding.state.value:8}", fg=dict(_COLORS)[finding.state.value])
    lines = " ".join(finding.finding.splitlines())
    click.echo(f"{state} {finding.check:14}  {lines}", file=out)  # type: ignore[arg-type]
    if finding.fix:
        click.echo(f"{'':23}  fix: {finding.fix}", file=out)  # type: ignore[arg-type]
