"""What the import prints: what was done, then a line for every field, or all of it as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import click

from gateway.cli.importing.litellm.notes import Level, Note
from gateway.cli.importing.litellm.placing import Done, Outcome
from gateway.cli.output import print_json, print_rows

_STATES: Final[tuple[Done, ...]] = ("added", "updated", "unchanged", "failed", "left")


def print_report(outcome: Outcome, notes: Sequence[Note], *, dry_run: bool, as_json: bool) -> None:
    """Tell what was done, and of every field what became of it."""
    results, admin = outcome.results, outcome.admin
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
                "ambiguous": outcome.ambiguous,
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
    if counts["left"]:
        click.echo(
            f"{counts['left']} of earlier imports are not in this file, and stay until `gateway models remove ID` or "
            "`gateway routes remove ID`.",
            err=True,
        )
    for name, same in outcome.ambiguous.items():
        click.echo(
            f"Warning: {name} names more than one now, and is not found by its name: rename or remove all but one of "
            f"{', '.join(same)}.",
            err=True,
        )
    if admin is not None:
        click.echo(f"A first admin key was made: it is in {admin}.", err=True)
