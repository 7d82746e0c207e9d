"""`gateway import litellm`: models and routes out of a LiteLLM configuration."""

import os
from pathlib import Path
from typing import Final

import click

from gateway.cli.opened import running, settings

INCOMPLETE: Final = 3
"""Exit code: done, but some models could not be imported."""


@click.command("litellm")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be done.")
@click.option("--strict", is_flag=True, help="Write nothing and end with 1 unless every field means the same here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def litellm(ctx: click.Context, /, config: Path, dry_run: bool, strict: bool, as_json: bool) -> None:
    """Take over the models of a LiteLLM configuration.

    Every field gets a finding: exact, approximate, manual (somebody has to do something) or unsupported. References to
    environment variables stay references where they are keys. Run it again at any time: what is known is updated,
    never doubled.

    What becomes of each setting: docs/litellm.md.

    \b
    Exit codes: 0 = all models imported, 1 = failed, nothing was written,
    2 = wrong arguments or settings, 3 = done, but some models could not be imported.
    """
    from gateway.cli.importing.litellm.deployments import Around
    from gateway.cli.importing.litellm.notes import Level
    from gateway.cli.importing.litellm.placing import place
    from gateway.cli.importing.litellm.plan import make_plan, read_all
    from gateway.cli.importing.litellm.report import print_report
    from gateway.cli.reach import denied

    plan = make_plan(read_all(config), Around(providers=_providers(), denied=denied, environ=os.environ))
    notes = plan.notes.all()
    inexact = sum(note.level is not Level.EXACT for note in notes)
    refused = strict and inexact > 0
    outcome = running(lambda: place(plan, settings(), dry_run=dry_run or refused))
    print_report(outcome, notes, dry_run=dry_run or refused, as_json=as_json)
    if refused:
        click.echo(f"Error: {inexact} findings are not exact, and --strict was given: nothing was written.", err=True)
        ctx.exit(1)
    if any(result.done == "failed" for result in outcome.results):
        ctx.exit(INCOMPLETE)


def _providers() -> dict[str, str]:
    """The enabled providers, and where each asks when a model does not say."""
    from gateway.cli.providers import registered_providers

    return {name: getattr(one.object, "base_url", "") for name, one in registered_providers().items()}
