"""`gateway import chatbot-ui`: what it says of each row, what it refuses, and what it never shows."""

import csv
import json
import os
import pty
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

ID = "0b1c2d3e-0000-4000-8000-00000000000a"
OWNER = "0b1c2d3e-0000-4000-8000-00000000000b"
SOUND = {
    "id": ID,
    "user_id": OWNER,
    "folder_id": "",
    "created_at": "2024-02-13 08:56:46.12+00",
    "updated_at": "",
    "sharing": "private",
    "api_key": "sk-canary-of-the-row",
    "base_url": "https://a.example/v1",
    "description": "d",
    "model_id": "m",
    "name": "Mine",
    "context_length": "8192",
}
Import = Callable[..., Result]


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    """Imports into a new installation in the directory `data`."""

    def run(*arguments: str, code: int = 0, env: dict[str, str] | None = None, **options: Any) -> Result:
        environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "SUPABASE_SERVICE_ROLE_KEY": "", **(env or {})}
        result = CliRunner().invoke(main, ["import", "chatbot-ui", *arguments], env=environ, **options)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "canary" not in result.output
        return result

    return run


@pytest.fixture
def rows(importing: Import, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Imports rows that differ from a sound one; what is told of each."""

    def run(*changes: dict[str, str], code: int = 0, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
        file = write_csv(tmp_path, *({**SOUND, **one} for one in changes))
        told: list[dict[str, Any]] = json.loads(importing("--from", str(file), "--json", code=code, env=env).stdout)[
            "rows"
        ]
        return told

    return run


def write_csv(folder: Path, *rows: dict[str, str]) -> Path:
    file = folder / "models_rows.csv"
    with file.open("w", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def another() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"id": "abc"}, "bad_id", "The id is no UUID."),
        ({"id": ""}, "bad_id", "The id is no UUID."),
        ({"user_id": ""}, "bad_owner", "The user_id is no UUID."),
        ({"name": "n" * 101}, "invalid_value", "The name has 101 characters, at most 100 are allowed."),
        ({"description": "d" * 501}, "invalid_value", "at most 500"),
        ({"api_key": "canary" * 200}, "invalid_value", "The api_key has 1200 characters, at most 1000"),
        ({"base_url": "https://a.example/" + "x" * 1000}, "invalid_value", "at most 1000"),
        ({"context_length": "-1"}, "invalid_value", "The context_length is no whole number"),
        ({"context_length": "many"}, "invalid_value", "The context_length is no whole number"),
        ({"base_url": "https://user:canary@a.example/v1"}, "credentials_in_url", "would not be encrypted"),
    ],
)
def test_a_row_that_cannot_come_in_says_why_and_the_others_come(rows, change, code, said):
    refused, kept = rows(change, {"id": another()}, code=3)
    assert (refused["done"], kept["done"]) == ("failed", "added")
    assert [one["code"] for one in refused["findings"]] == [code]
    assert said in refused["findings"][0]["message"]
    assert refused["place"] == "line 2"


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"api_key": ""}, "empty_key", "The API key is empty"),
        ({"api_key": "  "}, "empty_key", "The API key is empty"),
        ({"api_key": "sk-\n-canary"}, "unusable_key", "no HTTP header can hold"),
        ({"base_url": "http://llm.example/v1"}, "plain_http", "llm.example is called over plain http"),
        ({"base_url": "http://10.1.2.3:8080/v1"}, "private_address", "GATEWAY_EGRESS__ALLOW='[\"10.1.2.3:8080\"]'"),
        ({"base_url": "http://localhost:11434/v1"}, "private_address", "localhost (loopback) is refused"),
        ({"base_url": "not a url"}, "bad_base_url", "`Invalid URL`"),
        ({"base_url": "ftp://a.example"}, "bad_base_url", "cannot be called"),
        ({"base_url": "https://a.example/v1?key=canary"}, "query_in_url", "has a query"),
        ({"sharing": "Private"}, "odd_sharing", "everybody's"),
        ({"folder_id": "abc"}, "bad_folder", "it is left out"),
        ({"created_at": "yesterday"}, "bad_date", "The created_at is no date"),
        ({"name": ""}, "no_name", "ask for it by its id"),
    ],
)
def test_a_row_that_comes_in_says_what_is_to_be_known(rows, change, code, said):
    [row] = rows(change)
    assert row["done"] == "added"
    [finding] = [one for one in row["findings"] if one["code"] == code]
    assert said in finding["message"]


def test_an_address_that_is_allowed_is_no_finding(rows):
    [row] = rows({"base_url": "http://127.0.0.1:11434/v1"}, env={"GATEWAY_EGRESS__ALLOW": '["127.0.0.1:11434"]'})
    assert row["findings"] == []


def test_a_sound_row_has_no_findings_and_keeps_its_values(rows, tmp_path):
    [row] = rows({})
    assert (row["done"], row["findings"]) == ("added", [])
    model = shown(tmp_path)
    assert (model["owner"], model["context_length"], model["has_api_key"]) == (OWNER, 8192, True)
    assert model["created_at"] == "2024-02-13T08:56:46.120000Z"
    assert model["updated_at"] is None


@pytest.mark.parametrize("key", ["{env=HOME}", "{file=/etc/hostname}"])
def test_a_key_somebody_typed_there_never_becomes_a_reference_here(rows, tmp_path, key):
    rows({"api_key": key})
    assert shown(tmp_path)["api_key"].startswith("set (sealed")


def test_a_key_that_is_emptied_there_stays_here(rows, tmp_path):
    rows({})
    [row] = rows({"api_key": "", "description": "changed"})
    assert (row["done"], row["changed"]) == ("updated", ["description"])
    assert [one["code"] for one in row["findings"]] == ["empty_key", "key_kept"]
    assert shown(tmp_path)["has_api_key"] is True


def test_a_key_that_was_replaced_by_a_reference_here_stays_one(rows, tmp_path):
    rows({})
    environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    CliRunner().invoke(main, ["models", "update", ID, "--api-key", "{env=MY_KEY}"], env=environ)
    [row] = rows({"api_key": "sk-canary-another"})
    assert (row["done"], [one["code"] for one in row["findings"]]) == ("unchanged", ["key_kept"])
    assert shown(tmp_path)["api_key"].startswith("from env MY_KEY")


def shown(folder: Path) -> dict[str, Any]:
    environ = {"GATEWAY_DATA_DIR": str(folder / "data")}
    model: dict[str, Any] = json.loads(CliRunner().invoke(main, ["models", "show", ID, "--json"], env=environ).stdout)
    return model


def test_names_and_ids_that_stand_twice_are_told(rows):
    first, second, third, again = rows({}, {"id": another()}, {"id": another(), "user_id": another()}, {}, code=3)
    assert [one["code"] for one in first["findings"]] == ["duplicate_name"]
    assert [one["code"] for one in second["findings"]] == ["duplicate_name"]
    assert third["findings"] == []
    assert (again["done"], [one["code"] for one in again["findings"]]) == ("failed", ["duplicate_id"])


def test_a_name_that_is_here_already_is_told(rows):
    rows({})
    [row] = rows({"id": another()})
    assert [one["code"] for one in row["findings"]] == ["duplicate_name"]


def test_a_dry_run_says_the_same_and_writes_nothing(importing, tmp_path):
    file = str(write_csv(tmp_path, SOUND, {**SOUND, "id": "abc"}, {**SOUND, "id": another(), "api_key": ""}))
    dry = importing("--from", file, "--json", "--dry-run", code=3)
    assert not (tmp_path / "data").exists()
    done = importing("--from", file, "--json", code=3)
    assert json.loads(dry.stdout) == {**json.loads(done.stdout), "dry_run": True}
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    again = importing("--from", file, "--json", "--dry-run", code=3)
    assert json.loads(again.stdout)["counts"] == {"added": 0, "updated": 0, "unchanged": 2, "failed": 1}
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before


def test_the_report_for_people_has_a_line_for_each_row_and_a_summary(importing, tmp_path):
    file = str(write_csv(tmp_path, SOUND, {**SOUND, "id": "abc"}))
    done = importing("--from", file, code=3)
    header, added, failed = done.stdout.splitlines()
    assert header.split()[:3] == ["DONE", "ID", "NAME"]
    assert added.split()[:3] == ["added", ID, "Mine"]
    assert failed.split()[0] == "failed"
    assert failed.endswith("The id is no UUID.")
    assert done.stderr == "Models: 1 added, 0 updated, 0 unchanged, 1 failed.\nFindings: 1 bad_id.\n"


def test_a_line_with_other_cells_than_the_header_is_a_finding(importing, tmp_path):
    file = write_csv(tmp_path, SOUND)
    file.write_text(file.read_text() + "one,two\n\n")
    told = json.loads(importing("--from", str(file), "--json", code=3).stdout)
    assert told["counts"] == {"added": 1, "updated": 0, "unchanged": 0, "failed": 1}
    assert told["rows"][1]["findings"][0]["message"] == "It has 2 cells where the header has 12."


@pytest.mark.parametrize("column", ["id", "user_id", "name", "model_id", "base_url", "api_key"])
def test_a_table_without_a_needed_column_is_refused_as_a_whole(importing, tmp_path, column):
    file = write_csv(tmp_path, {name: value for name, value in SOUND.items() if name != column})
    refused = importing("--from", str(file), code=1)
    assert "column" in refused.stderr or "no table" in refused.stderr
    assert not (tmp_path / "data").exists()


PROFILE = {"id": another(), "user_id": OWNER, "username": "user1", "together_api_key": "canary", "groq_api_key": ""}


def test_a_provider_nobody_knows_is_a_finding_not_dropped(importing, tmp_path):
    file = tmp_path / "profiles.csv"
    file.write_text(",".join(PROFILE) + "\n" + ",".join(PROFILE.values()) + "\n")
    [row] = json.loads(importing("--from", str(file), "--profiles", "--json", code=3).stdout)["rows"]
    assert (row["done"], row["owner"], row["findings"][0]["code"]) == ("failed", OWNER, "unknown_provider")
    refused = importing("--from", str(file), code=2)
    assert "profiles.csv holds profiles, which are only imported with --profiles." in refused.stderr


def test_the_choice_of_models_for_a_provider_makes_one_model_each(importing, tmp_path):
    file = tmp_path / "profiles.csv"
    file.write_text(f"id,user_id,username,groq_api_key\n{another()},{OWNER},user1,gsk_canary\n")
    chosen = ("--profile-model", "groq=one", "--profile-model", "groq=two", "--profile-model", "groq=one")
    told = json.loads(importing("--from", str(file), "--profiles", *chosen, "--json").stdout)
    assert [row["name"] for row in told["rows"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Say where the models are"),
        (("--from-env", "NOT_SET"), 1, "The environment variable NOT_SET is not set"),
        (("--from", "mysql://a.example/b"), 2, "The scheme 'mysql' is no source"),
        (("--from", "postgresql://a.example:0x/b"), 2, "The PostgreSQL address cannot be parsed"),
        (("--from", "postgresql://u@127.0.0.1:1/b"), 1, "The source cannot be reached"),
        (("--from", "does-not-exist.csv"), 1, "cannot be read: No such file or directory"),
        (("--from", "https://a.example"), 2, "The service role key is missing: set SUPABASE_SERVICE_ROLE_KEY"),
        (("--from", "https://a.example", "--service-key-env", "NOT_SET"), 1, "NOT_SET is not set"),
        (("--from", "https://a.example", "--service-key-env", "A", "--service-key-file", "b"), 2, "one source only"),
        (("--from", "x", "--profile-model", "openai=m"), 2, "add --profiles"),
        (("--from", "x", "--profiles", "--profile-model", "acme=m"), 2, "PROVIDER=MODEL_ID with one of openai,"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence_and_nothing_is_made(importing, tmp_path, arguments, code, said):
    refused = importing(*arguments, code=code)
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sb_publishable_canary", "This is a public key"),
        ("e30.eyJyb2xlIjoiYW5vbiJ9.canary", "This is a public key"),
        ("canary with spaces", "characters that no HTTP header can hold"),
    ],
)
def test_a_key_that_cannot_read_all_rows_is_refused(importing, key, said):
    refused = importing("--from", "https://a.example", env={"SUPABASE_SERVICE_ROLE_KEY": key}, code=2)
    assert said in refused.stderr


def test_a_password_among_the_arguments_is_told_and_not_repeated(importing):
    refused = importing("--from", "postgresql://u:canary@127.0.0.1:1/b", code=1)
    assert "other users of this machine can see a password in the arguments" in refused.stderr
    quiet = importing("--from-env", "SOURCE", env={"SOURCE": "postgresql://u:canary@127.0.0.1:1/b"}, code=1)
    assert "other users" not in quiet.stderr


def test_a_project_the_guard_refuses_is_told(importing):
    environ = {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_canary"}
    refused = importing("--from", "https://127.0.0.1:1", env=environ, code=1)
    assert "The project cannot be reached" in refused.stderr


def test_progress_is_shown_on_a_terminal_only_and_on_stderr(tmp_path):
    file = write_csv(tmp_path, SOUND)
    environ = {**os.environ, "GATEWAY_DATA_DIR": str(tmp_path / "data"), "TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-m", "gateway", "import", "chatbot-ui", "--from", str(file), "--json"]
    control, terminal = pty.openpty()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=terminal, stdin=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    try:
        while block := os.read(control, 65536):
            shown += block
    except OSError:  # Linux ends a terminal so
        pass
    out, _ = process.communicate(timeout=60)
    os.close(control)
    assert process.returncode == 0
    assert json.loads(out)["counts"]["added"] == 1
    assert b"Writing" in shown
    assert b"1/1" in shown
    quiet = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=True)
    assert quiet.stderr == b""
