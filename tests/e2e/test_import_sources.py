"""PostgreSQL, Supabase's REST interface, CSV files and dumps of one Chatbot UI are imported as the same models."""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from chatbot_ui_tables import PROFILES, canary, connected, direct, fill, pg_dump, user, write_profiles
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.registry import Database
from gateway.registry.snapshot import contents, made_of
from gateway.registry.tables import models
from gateway.settings import Settings
from gateway.testing.postgrest import PostgrestStandIn

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]
KEY = "service-role-key-canary"
COPY = ("--data-only", "--schema=public")
INSERTS = ("--column-inserts", "--rows-per-insert=7", "--quote-all-identifiers", "--data-only", "--schema=public")


def importing(data_dir: Path, *arguments: str, code: int = 0, **options: Any) -> Result:
    environ = {"GATEWAY_DATA_DIR": str(data_dir), **options.pop("env", {})}
    result = CliRunner().invoke(main, ["import", "chatbot-ui", *arguments], env=environ, **options)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert "canary" not in result.output
    return result


@pytest.fixture(scope="module")
def chatbot_ui(postgres_server: str, module_postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Chatbot UI of 60 models and 3 users with profiles; a gateway keeps a table `models`, too, in that database."""

    url = direct(module_postgres_url, postgres_server)

    async def make() -> None:
        await fill(url, models=60, users=3, base_url="https://a.example/v1")
        async with connected(url) as connection:
            await write_profiles(connection)

    asyncio.run(make())
    inside = {"GATEWAY_DATABASE_URL": module_postgres_url}
    importing(tmp_path_factory.mktemp("inside"), "--from", url, env=inside)
    return url


@pytest.fixture
def empty(postgres_server: str, fresh_postgres_url: str) -> str:
    """An empty database."""
    return direct(fresh_postgres_url, postgres_server)


async def select(url: str, table: str) -> list[dict[str, Any]]:
    async with connected(url) as connection:
        return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]


def exported(rows: Sequence[dict[str, Any]]) -> str:
    """As the dashboard writes a table: null as nothing, what needs it in quotes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(
        [
            "" if cell is None else cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell
            for cell in row.values()
        ]
        for row in rows
    )
    return text.getvalue()


def from_postgres(url: str, folder: Path) -> list[str]:
    return ["--from", url]


def from_csv(url: str, folder: Path) -> list[str]:
    sources = []
    for table in ("models", "profiles"):
        file = folder / f"{table}_rows.csv"
        file.write_text(exported(asyncio.run(select(url, table))), newline="")
        sources += ["--from", str(file)]
    return sources


def dumped(*how: str) -> Callable[[str, Path], list[str]]:
    def write(url: str, folder: Path) -> list[str]:
        file = folder / "dump.sql"
        file.write_bytes(asyncio.run(pg_dump(url, *how)))
        return ["--from", str(file)]

    return write


def stored(data_dir: Path) -> dict[str, dict[str, Any]]:
    """Every column of every model, secrets opened."""

    async def read() -> dict[str, dict[str, Any]]:
        database = await Database.open(Settings(data_dir=data_dir))
        try:
            snapshot = await made_of(await contents(database), database)
            async with database.read() as connection:
                rows = (await connection.execute(models.select())).mappings().all()
        finally:
            await database.aclose()
        opened = {row["id"]: snapshot.model(row["id"]) for row in rows}
        return {
            row["id"]: {**row, "api_key": opened[row["id"]].api_key.reveal(), "headers": opened[row["id"]].headers}
            for row in rows
        }

    return asyncio.run(read())


@pytest.fixture(scope="module")
def reference(chatbot_ui: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What is imported from PostgreSQL itself."""
    data_dir = tmp_path_factory.mktemp("reference")
    importing(data_dir, "--from", chatbot_ui, "--profiles", code=3)
    return stored(data_dir)


@pytest.mark.parametrize(
    "source",
    [from_csv, dumped(), dumped(*COPY), dumped(*INSERTS), dumped("--inserts")],
    ids=["csv", "whole dump", "data only", "inserts in rows", "inserts without columns"],
)
def test_files_hold_what_the_database_holds(chatbot_ui, reference, tmp_path, source):
    importing(tmp_path / "data", *source(chatbot_ui, tmp_path), "--profiles", code=3)
    assert stored(tmp_path / "data") == reference
    assert len(reference) == 60 + 9


def test_a_supabase_project_is_read_page_by_page(chatbot_ui, reference, tmp_path):
    async def run() -> tuple[Result, list[Any]]:
        async with PostgrestStandIn(KEY, max_rows=25) as project:
            for table in ("models", "profiles"):
                for row in await select(chatbot_ui, table):
                    project.add({name: as_json(value) for name, value in row.items()}, table)
            environ = {"SUPABASE_SERVICE_ROLE_KEY": KEY, "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
            arguments = (tmp_path / "data", "--from", f"{project.origin}/", "--profiles")
            done = await asyncio.to_thread(importing, *arguments, code=3, env=environ)
            return done, project.requests

    done, requests = asyncio.run(run())
    assert "plain http" in done.stderr
    assert stored(tmp_path / "data") == reference
    assert [request.target.partition("?")[0] for request in requests] == [
        *["/rest/v1/models"] * 4,
        *["/rest/v1/profiles"] * 2,
    ]
    assert {request.header("apikey") for request in requests} == {KEY}


def as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int | None) else str(value)


def test_profiles_become_models_of_their_providers(reference):
    made = [row for row in reference.values() if row["description"].endswith("by the key of the Chatbot UI profile.")]
    assert {row["sharing"] for row in made} == {"private"}
    assert {row["provider"] for row in made} == {"openai"}
    of = {number: {row["name"]: row for row in made if row["user_id"] == user(number)} for number in (0, 1, 2)}
    assert {row["api_key"] for row in of[0].values()} == {v for v in PROFILES[0].values() if "canary" in v}
    assert of[0]["gpt-4o"]["headers"] == {"OpenAI-Organization": "org-of-user-0"}
    assert of[0]["openrouter/auto"]["base_url"] == "https://openrouter.ai/api/v1"
    assert {(row["base_url"], row["model_id"]) for row in of[1].values()} == {
        ("https://one.openai.azure.com/openai/v1", "deployed-35"),
        ("https://one.openai.azure.com/openai/v1", "deployed-45"),
    }
    assert of[2] == {}


def test_what_profiles_lack_is_told_and_they_are_as_repeatable(chatbot_ui, tmp_path):
    arguments = ("--from", chatbot_ui, "--profiles", "--json", "--profile-model", "openai=gpt-4.1")
    first, second = (json.loads(importing(tmp_path, *arguments, code=3).stdout) for _ in range(2))
    assert first["counts"] == {"added": 69, "updated": 0, "unchanged": 0, "failed": 1}
    assert second["counts"] == {"added": 0, "updated": 0, "unchanged": 69, "failed": 1}
    [lacking] = [row for row in first["rows"] if row["done"] == "failed"]
    assert (lacking["owner"], lacking["findings"][0]["code"]) == (user(2), "no_deployment")
    told = {
        row["name"]: [one["code"] for one in row["findings"]] for row in first["rows"] if row["table"] == "profiles"
    }
    assert told["gpt-4.1"] == []
    assert told["gemini-flash-latest"] == ["compatible_address"]


def test_a_later_change_there_is_an_update_and_what_is_ours_stays(empty, tmp_path):
    rows = asyncio.run(fill(empty, models=6, users=2, base_url="https://a.example/v1"))
    importing(tmp_path, "--from", empty)
    for changes in (
        (rows[3]["id"], "--disable", "--set", 'prices={"input": 1}'),
        (rows[5]["id"], "--name", "Renamed here"),
    ):
        command = ["models", "update", *changes]
        assert CliRunner().invoke(main, command, env={"GATEWAY_DATA_DIR": str(tmp_path)}).exit_code == 0
    statement = "UPDATE models SET api_key = $1 WHERE id = $2"
    asyncio.run(execute(empty, statement, canary(77), rows[1]["id"]))
    report = json.loads(importing(tmp_path, "--from", empty, "--json").stdout)
    told = {
        row["id"]: (row["done"], row["changed"], [one["code"] for one in row["findings"]]) for row in report["rows"]
    }
    assert told[rows[1]["id"]] == ("updated", ["updated_at", "api_key"], [])
    assert told[rows[3]["id"]] == ("unchanged", [], [])
    assert told[rows[5]["id"]] == ("updated", ["updated_at", "name"], ["changed_here"])
    assert report["counts"] == {"added": 0, "updated": 2, "unchanged": 4, "failed": 0}
    shown = CliRunner().invoke(
        main, ["models", "show", rows[3]["id"], "--json"], env={"GATEWAY_DATA_DIR": str(tmp_path)}
    )
    assert (json.loads(shown.stdout)["enabled"], json.loads(shown.stdout)["prices"]) == (False, {"input": 1})


async def execute(url: str, statement: str, *values: object) -> None:
    async with connected(url) as connection:
        await connection.execute(statement, *values)


def test_a_role_that_row_level_security_holds_is_refused_not_served_less(empty, tmp_path):
    asyncio.run(fill(empty, models=6, users=2, base_url="https://a.example/v1"))
    role = f"held_{tmp_path.name[-8:]}".replace("-", "_")
    grant = f"CREATE ROLE {role} LOGIN; GRANT SELECT ON models TO {role}"
    asyncio.run(execute(empty, grant))
    refused = importing(tmp_path, "--from", empty.replace("postgres@", f"{role}@"), code=1)
    assert refused.stderr == (
        "Error: The source cannot be read: this role may not read all rows: use the role `postgres` of the project.\n"
    )
    asyncio.run(execute(empty, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_a_database_without_the_tables_is_told(empty, tmp_path):
    refused = importing(tmp_path, "--from", empty, code=1)
    assert "it has no such table: is this Chatbot UI's database?" in refused.stderr


def test_reading_changes_nothing(chatbot_ui, tmp_path):
    before = asyncio.run(select(chatbot_ui, "models"))
    importing(tmp_path, "--from", chatbot_ui)
    assert asyncio.run(select(chatbot_ui, "models")) == before


def test_a_pooler_in_transaction_mode_is_read_from_as_well(chatbot_ui, pgbouncer_server, reference, tmp_path):
    url = direct(chatbot_ui, pgbouncer_server)
    importing(tmp_path, "--from", url, "--profiles", code=3)
    assert stored(tmp_path) == reference
