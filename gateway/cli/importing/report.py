"""What an import prints: one line for each row, a summary, or all of it as JSON."""

from collections import Counter
from collections.abc import Sequence

import click

from gateway.cli.importing.findings import Candidate
from gateway.cli.output import print_json, print_rows

_STATES = ("added", "updated", "unchanged", "failed")


def print_report(candidates: Sequence[Candidate], *, dry_run: bool, as_json: bool) -> None:
    """Tell of every row what was done, what could not be, and why."""
    counts = Counter(candidate.done for candidate in candidates)
    if as_json:
        rows = [_shown(candidate) for candidate in candidates]
        print_json({"dry_run": dry_run, "counts": {state: counts[state] for state in _STATES}, "rows": rows})
        return
    cells = [
        (one.done, one.id, one.name, one.owner, f"{one.table}, {one.place}", " ".join(map(_worded, _said(one))))
        for one in candidates
    ]
    print_rows(("DONE", "ID", "NAME", "OWNER", "FROM", "FINDINGS"), cells, empty="The source has no rows.")
    told = ", ".join(f"{counts[state]} {state}" for state in _STATES)
    click.echo(f"{'Would be' if dry_run else 'Models'}: {told}.", err=True)
    codes = Counter(finding.code for one in candidates for finding in one.findings)
    if codes:
        click.echo(f"Findings: {', '.join(f'{count} {code}' for code, count in sorted(codes.items()))}.", err=True)


def _said(candidate: Candidate) -> list[str]:
    changed = candidate.placed.changed if candidate.placed else ()
    said = [finding.message for finding in candidate.findings]
    return [f"Changed: {', '.join(changed)}.", *said] if changed else said


def _worded(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."


def _shown(candidate: Candidate) -> dict[str, object]:
    return {
        "table": candidate.table,
        "place": candidate.place,
        "id": candidate.id,
        "name": candidate.name,
        "owner": candidate.owner,
        "done": candidate.done,
        "changed": candidate.placed.changed if candidate.placed else (),
        "findings": candidate.findings,
    }
