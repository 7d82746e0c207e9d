"""`gateway import chatbot-ui`: models, and the keys of profiles, out of a Chatbot UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.endings import Failed, Wrong
from gateway.cli.opened import running, settings

if TYPE_CHECKING:
    from gateway.cli.importing.findings import Candidate, Raw, Tables
    from gateway.cli.importing.progress import Bars
    from gateway.secrets import Secret

INCOMPLETE: Final = 3
"""Exit code: done, but some rows could not be imported."""
_SOURCE = "PostgreSQL URL, Supabase project URL, CSV file or plain-text pg_dump file; may be repeated."


@click.command("chatbot-ui")
@click.option("--from", "origins", metavar="SOURCE", multiple=True, help=_SOURCE)
@click.option("--from-env", metavar="VAR", help="Take the source from this environment variable.")
@click.option("--service-key-env", metavar="VAR", help="The variable with a Supabase project's service role key.")
@click.option("--service-key-file", type=click.Path(path_type=Path), help="The file with that key.")
@click.option("--profiles", is_flag=True, help="Import the provider keys of profiles as models, too.")
@click.option(
    "--profile-model",
    "profile_models",
    metavar="PROVIDER=MODEL_ID",
    multiple=True,
    help="What a provider's keys are imported for, instead of its default; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def chatbot_ui(
    ctx: click.Context, /, profiles: bool, profile_models: Sequence[str], dry_run: bool, as_json: bool, **given: Any
) -> None:
    """Take over the models of a Chatbot UI.

    Ids, owners, folders, sharing and dates are kept, keys are encrypted. All rows that can be imported are, or none.
    Run it again at any time: what is known is updated, never doubled.

    \b
    Exit codes: 0 = all rows imported, 1 = nothing was written,
    2 = wrong arguments or settings, 3 = done, but some rows could not be imported.
    """
    from gateway.cli.importing.progress import bars
    from gateway.cli.importing.report import print_report
    from gateway.cli.importing.service_key import service_key
    from gateway.cli.importing.sources import addresses, needs_key

    wanted = ("models", "profiles") if profiles else ("models",)
    model_ids = _model_ids(profile_models, asked=profiles)
    sources = addresses(given["origins"], given["from_env"])
    # Asked for before there are bars: a prompt among them cannot be read.
    key = service_key(given["service_key_env"], given["service_key_file"]) if any(map(needs_key, sources)) else None
    with bars() as shown:
        tables = _read(sources, wanted, key, shown)
        candidates = _look_at(tables, model_ids)
        _place(candidates, shown, dry_run=dry_run)
    print_report(candidates, dry_run=dry_run, as_json=as_json)
    if any(candidate.placed is None for candidate in candidates):
        ctx.exit(INCOMPLETE)


def _model_ids(given: Sequence[str], *, asked: bool) -> dict[str, list[str]]:
    from gateway.cli.importing.profiles import PROVIDERS

    chosen: dict[str, list[str]] = {}
    for text in given:
        provider, _, model_id = (part.strip() for part in text.partition("="))
        if provider not in PROVIDERS or not model_id:
            raise Wrong(f"--profile-model takes PROVIDER=MODEL_ID with one of {', '.join(PROVIDERS)} as PROVIDER.")
        if model_id not in chosen.setdefault(provider, []):
            chosen[provider].append(model_id)
    if chosen and not asked:
        raise Wrong("--profile-model says how profiles are imported: add --profiles.")
    return chosen


def _read(sources: Sequence[str], wanted: Sequence[str], key: "Secret | None", shown: "Bars") -> "Tables":
    """All sources' rows of the wanted tables."""
    from gateway.cli.importing.sources import read_source

    allow = settings().egress.allow

    async def run() -> "Tables":
        tables: Tables = {}
        for address in sources:
            for table, rows in (await read_source(address, wanted, key, allow, shown)).items():
                tables.setdefault(table, []).extend(rows)
        return tables

    tables = running(run)
    if "profiles" in wanted and "profiles" not in tables:
        raise Failed("--profiles was given, and no source has that table: a CSV file of it is a second --from.")
    return tables


def _look_at(tables: "Tables", model_ids: dict[str, list[str]]) -> "list[Candidate]":
    """Every row as a candidate, an id only once."""
    from gateway.cli.importing import models, profiles
    from gateway.cli.importing.addresses import Addresses
    from gateway.cli.importing.findings import Finding

    for table, required in (("models", models.REQUIRED), ("profiles", profiles.REQUIRED)):
        _refuse_without(required, table, tables.get(table, []))
    seen: dict[str, Candidate] = {}
    looked_at = Addresses()
    candidates = [
        *models.read_models(tables.get("models", []), looked_at),
        *profiles.read_profiles(tables.get("profiles", []), model_ids, looked_at),
    ]
    for candidate in candidates:
        if candidate.incoming is None:
            continue
        first = seen.setdefault(candidate.incoming.id, candidate)
        if first is not candidate:
            candidate.incoming = None
            candidate.findings.append(Finding("duplicate_id", f"The {first.place} of {first.table} has this id, too."))
    return candidates


def _refuse_without(required: Sequence[str], table: str, rows: "Sequence[Raw]") -> None:
    """A table that lacks a column would come in wrongly as a whole: a missing `api_key` would empty every key."""
    sound = next((row for row in rows if not row.fault), None)
    if sound is not None and (missing := [column for column in required if column not in sound.values]):
        raise Failed(f"The rows of {table} have no column {', '.join(missing)}: export the table with all columns.")


def _place(candidates: "Sequence[Candidate]", shown: "Bars", *, dry_run: bool) -> None:
    """Put the good ones into the registry, or see what that would do."""
    from gateway.cli.importing.findings import Finding
    from gateway.registry import Database
    from gateway.registry.imports import Placed, compare, existing, take_in

    given = settings()
    good = [candidate for candidate in candidates if candidate.incoming is not None]
    incoming = [candidate.incoming for candidate in good if candidate.incoming is not None]
    told = shown.step("Writing", len(incoming))

    async def run() -> "list[Placed]":
        if dry_run:
            async with existing(given) as found:
                return await compare(found, incoming)
        database = await Database.open(given)
        try:
            return await take_in(database, incoming, lambda: told(1))
        finally:
            await database.aclose()

    for candidate, placed in zip(good, running(run), strict=True):
        candidate.placed = placed
        if placed.has_twin:
            text = "Its owner has another model of this name: ask for both by id."
            candidate.findings.append(Finding("duplicate_name", text))
        if placed.keeps_key:
            text = "The key that is here stays: there is none there any more, or here it is looked up elsewhere."
            candidate.findings.append(Finding("key_kept", text))
        if placed.undoes and placed.done == "updated":
            text = "It was changed here after it was changed there: what is there replaces it."
            candidate.findings.append(Finding("changed_here", text))
