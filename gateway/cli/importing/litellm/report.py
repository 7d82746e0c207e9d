"""What the import prints: what was done, then a line for every field, or all of it as JSON."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from gateway.cli.importing.litellm.notes import Level, Note
from gateway.cli.importing.litellm.placing import Done, Result
from gateway.cli.output import print_json, print_rows

_STATES: Final[tuple[Done, ...]] = ("added", "updated", "unchanged", "failed")


def print_report(
    results: Sequence[Result], notes: Sequence[Note], admin: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Tell what was done, and of every field what became of it."""
    counts = Counter(result.done for result in results)
    levels = Counter(note.level for note in notes)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "counts": {state: counts[state] for state in _STATES},
                "levels": {level: levels[level] for level in Level},
                "results": results,
                "findings": notes,
                "admin_key_file": str(admin) if admin else None,
            }
        )
        return
    rows = [(one.done, one.kind, one.id or None, one.name or None, one.place or None) for one in results]
    print_rows(("DONE", "KIND", "ID", "NAME", "FROM"), rows, empty="The configuration has no models.")
    click.echo()
    print_rows(("FINDING", "FIELD", "WHAT BECOMES OF IT"), [(n.level, n.path, n.message) for n in notes], empty="")
    done = ", ".join(f"{counts[state]} {state}" for state in _STATES)
    click.echo(f"{'Would be' if dry_run else 'Models and routes'}: {done}.", err=True)
    click.echo(f"Fields: {', '.join(f'{levels[level]} {level}' for level in Level)}.", err=True)
    if admin is not None:
        click.echo(f"A first admin key was made: it is in {admin}.", err=True)
