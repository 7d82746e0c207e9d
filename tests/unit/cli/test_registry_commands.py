"""`gateway models`, `gateway keys` and `gateway db`, as a user runs them."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.registry.migrations import HEAD, REVISIONS

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
ADD = ("models", "add", "m", "--base-url", "https://a.example/v1", "--model-id", "gpt")
Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a command on a new installation."""
    environment = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    if request.param == "postgres":
        environment["GATEWAY_DATABASE_URL"] = request.getfixturevalue("fresh_postgres_url")
    return runner(environment)


@pytest.fixture
def run_embedded(tmp_path: Path) -> Run:
    """The same on SQLite only."""
    return runner({"GATEWAY_DATA_DIR": str(tmp_path / "data")})


def runner(environment: dict[str, str]) -> Run:
    def run(*arguments: str, code: int = 0, env: dict[str, str] | None = None, **options: object) -> Result:
        result = CliRunner().invoke(main, list(arguments), env={**environment, **(env or {})}, **options)  # type: ignore[arg-type]
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


def test_a_model_is_added_listed_shown_changed_and_removed(run: Run) -> None:
    model_id = run(*ADD, "--owner", OWNER, "--sharing", "public", "--description", "d").stdout.strip()
    assert str(uuid.UUID(model_id)) == model_id
    [listed] = json.loads(run("models", "list", "--json").stdout)
    assert (listed["id"], listed["owner"], listed["sharing"]) == (model_id, OWNER, "public")
    changed = json.loads(run("models", "update", "m", "--disable", "--context-length", "9", "--json").stdout)
    assert (changed["enabled"], changed["context_length"], changed["sharing"]) == (False, 9, "public")
    assert json.loads(run("models", "show", model_id, "--json").stdout) == changed
    run("models", "remove", "m")
    assert run("models", "list").stdout == ""


def test_the_id_of_a_model_may_be_chosen_once(run: Run) -> None:
    chosen = str(uuid.uuid4())
    assert run(*ADD, "--id", chosen.upper()).stdout == chosen + "\n"
    refused = run(*ADD, "--id", chosen, code=1)
    assert refused.stderr == f"Error: A model with the id {chosen} exists: update it, or give another id.\n"


def test_a_list_in_a_pipe_is_plain_aligned_columns(run_embedded: Run) -> None:
    run_embedded(*ADD)
    run_embedded(*ADD[:2], "a longer name", *ADD[3:])
    header, *rows = run_embedded("models", "list").stdout.splitlines()
    assert {row.index("openai") for row in rows} == {header.index("PROVIDER")}
    assert not any(character in header for character in "│┃\x1b")


@pytest.mark.parametrize("source", ["--api-key-env", "--api-key-file", "--api-key-stdin"])
def test_a_key_is_taken_from_its_source_and_never_printed(run_embedded: Run, tmp_path: Path, source: str) -> None:
    (tmp_path / "file").write_text("sk-canary\n")
    arguments = {"--api-key-env": ["CANARY"], "--api-key-file": [str(tmp_path / "file")], "--api-key-stdin": []}
    given = (source, *arguments[source])
    outputs = [
        run_embedded(*ADD, *given, input="sk-canary\n", env={"CANARY": "sk-canary"}),
        run_embedded("models", "update", "m", *given, "--json", input="sk-canary\r\n", env={"CANARY": "sk-canary"}),
        run_embedded("models", "show", "m"),
        run_embedded("models", "show", "m", "--json"),
        run_embedded("models", "list"),
    ]
    assert not any("canary" in result.output for result in outputs)
    assert json.loads(outputs[3].stdout)["api_key"].startswith("set (sealed with key id ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--api-key-env", "NOT_SET"), 1, "The environment variable NOT_SET is not set"),
        (("--api-key-file", "/does/not/exist"), 1, "The file /does/not/exist cannot be read: No such file"),
        (("--api-key-stdin", "--api-key-env", "HOME"), 2, "from one source only"),
        (("--api-key-stdin",), 2, "contains a line break or NUL"),
        (("--base-url", "not a url"), 2, "contains a space"),
        (("--base-url", "abc"), 2, "is not a URL: write it like"),
        (("--base-url", "file:///etc/passwd"), 2, "scheme is 'file'"),
        (("--base-url", "https://u:p@a.example"), 2, "contains credentials"),
        (("--id", "abc"), 2, "The id 'abc' is not a UUID"),
        (("--id", ""), 2, "The id '' is not a UUID"),
        (("--owner", "abc"), 2, "The owner 'abc' is not a UUID"),
        (("--description", "x" * 501), 2, "has 501 characters, at most 500"),
        (("--model-id", " "), 2, "The model_id is empty"),
        (("--set", "timeouts={"), 2, "is not JSON"),
        (("--set", "owner=1"), 2, "--set takes FIELD=JSON"),
        (("--set", 'prices={"inptu": 1}'), 2, "have no 'inptu'"),
        (("--set", 'headers={"a": 1}'), 2, "each value should be a text, not a number"),
        (("--sharing", "all"), 2, "'all' is not one of"),
    ],
)
def test_bad_input_is_told_in_one_sentence_and_nothing_is_stored(
    run_embedded: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    refused = run_embedded(*ADD, *arguments, code=code, input="sk-canary\nsk-second\n")
    assert said in refused.stderr
    assert refused.stdout == ""
    assert "canary" not in refused.output
    assert run_embedded("models", "list", "--json").stdout == "[]\n"


def test_columns_that_hold_json_are_set(run_embedded: Run, tmp_path: Path) -> None:
    (tmp_path / "headers.json").write_text('{"x-key": "canary"}')
    given = ("--set", 'timeouts={"total": 30}', "--set", f"headers=@{tmp_path / 'headers.json'}")
    shown = run_embedded(*ADD, *given, "--json")
    assert json.loads(shown.stdout)["timeouts"] == {"total": 30}
    assert json.loads(shown.stdout)["headers"] == ["x-key"]
    assert "canary" not in shown.output


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://10.1.2.3/v1", "10.1.2.3:80"),
        ("http://[::1]:11434/v1", "[::1]:11434"),
        ("http://localhost:11434/v1", "localhost:11434"),
    ],
)
def test_a_private_address_is_added_with_a_warning_that_says_how_to_allow_it(
    run_embedded: Run, url: str, named: str
) -> None:
    allow = json.dumps([named])
    warned = run_embedded(*ADD, "--base-url", url)
    assert "By the settings that this command sees, " in warned.stderr
    assert f"GATEWAY_EGRESS__ALLOW='{allow}'" in warned.stderr
    more = run_embedded(*ADD, "--base-url", url, env={"GATEWAY_EGRESS__ALLOW": "ollama:1"})
    assert f"GATEWAY_EGRESS__ALLOW='{json.dumps(['ollama:1', named])}'" in more.stderr
    silent = run_embedded(*ADD, "--base-url", url, env={"GATEWAY_EGRESS__ALLOW": allow})
    assert "egress guard" not in silent.stderr


def test_a_query_in_a_base_url_is_warned_of_and_its_values_are_not_printed(run_embedded: Run) -> None:
    url = "https://a.example/v1?key=canary&api-version=2024-10-21&canary"
    warned = run_embedded(*ADD, "--base-url", url)
    assert "The base URL has a query, which is not encrypted here: no key belongs there." in warned.stderr
    for command in (("list",), ("show", "m")):
        shown = run_embedded("models", *command).stdout
        assert "https://a.example/v1?key=***&api-version=2024-10-21&***" in shown
        assert "canary" not in shown
    assert json.loads(run_embedded("models", "show", "m", "--json").stdout)["base_url"] == url
    assert "has a query" in run_embedded("models", "update", "m", "--base-url", url).stderr
    for plain in ("https://a.example/v1", "https://a.example?api-version=2024-10-21"):
        assert "has a query" not in run_embedded("models", "update", "m", "--base-url", plain).stderr


def test_a_wrong_allow_list_is_told_before_anything_is_stored(run_embedded: Run) -> None:
    refused = run_embedded(*ADD, code=2, env={"GATEWAY_EGRESS__ALLOW": "http://x"})
    assert refused.stderr.startswith("Error: GATEWAY_EGRESS__ALLOW: 'http://x' is none of a host, host:port")
    assert run_embedded("models", "list", "--json").stdout == "[]\n"


def test_an_empty_api_key_is_warned_of(run_embedded: Run) -> None:
    assert "the API key is empty" in run_embedded(*ADD, "--api-key-stdin", input="\n").stderr
    assert "the API key is empty" not in run_embedded(*ADD, "--api-key-stdin", input="sk\n").stderr


def test_a_second_model_of_one_name_and_owner_is_warned_of(run_embedded: Run) -> None:
    assert "Warning" not in run_embedded(*ADD).stderr
    assert "Warning" not in run_embedded(*ADD, "--owner", OWNER).stderr
    assert "ask for both by id" in run_embedded(*ADD).stderr
    assert "3 models are called 'm': use an id" in run_embedded("models", "show", "m", code=1).stderr


def test_changing_nothing_and_changing_nobody_are_errors(run_embedded: Run) -> None:
    run_embedded(*ADD)
    assert "Nothing to change" in run_embedded("models", "update", "m", code=2).stderr
    assert "There is no model 'x'" in run_embedded("models", "update", "x", "--disable", code=1).stderr
    assert "There is no model 'x'" in run_embedded("models", "remove", "x", code=1).stderr


def test_a_secret_stands_alone_on_standard_output_once(run: Run) -> None:
    created = run("keys", "create", "joe", "--owner", OWNER, "--scope", "chat", "--scope", "admin", "--expires", "30d")
    secret = created.stdout.removesuffix("\n")
    assert secret.startswith("gw-")
    assert "\n" not in secret
    assert secret not in created.stderr
    [key] = json.loads(run("keys", "list", "--json").stdout)
    assert (key["name"], key["owner"], key["scopes"], key["state"]) == ("joe", OWNER, ["admin", "chat"], "active")
    assert secret.startswith(key["prefix"])
    assert secret not in run("keys", "list").output


def test_a_key_as_json_has_id_name_and_secret_first(run_embedded: Run) -> None:
    key = json.loads(run_embedded("keys", "create", "joe", "--json").stdout)
    assert list(key)[:3] == ["id", "name", "secret"]
    assert (key["name"], key["scopes"], key["expires_at"]) == ("joe", ["chat"], None)


def test_a_key_is_revoked_by_name_or_id(run: Run) -> None:
    first = json.loads(run("keys", "create", "a", "--json").stdout)
    run("keys", "create", "b")
    run("keys", "revoke", first["id"])
    assert json.loads(run("keys", "revoke", "b", "--json").stdout)["state"] == "revoked"
    assert [key["state"] for key in json.loads(run("keys", "list", "--json").stdout)] == ["revoked", "revoked"]
    assert "There is no key 'b'" in run("keys", "revoke", "b", code=1).stderr


@pytest.mark.parametrize("expires", ["30", "d", "0d", "-1d", "1.5h", "1y", "9999999w", ""])
def test_a_duration_that_is_none_is_told_how_to_write_one(run_embedded: Run, expires: str) -> None:
    assert "such as 30d" in " ".join(run_embedded("keys", "create", "k", "--expires", expires, code=2).stderr.split())


def test_the_schema_goes_up_down_and_up_again(run: Run) -> None:
    assert run("db", "current").stdout == "none\n"
    assert "run `gateway db upgrade`" in run("db", "check", code=1).stderr.lower()
    run("db", "upgrade")
    assert run("db", "current").stdout == f"{HEAD}\n"
    run("db", "check")
    run("db", "downgrade", "-1")
    assert run("db", "current").stdout == f"{REVISIONS[-2]}\n"
    run("db", "upgrade")
    run("db", "downgrade", "base")
    assert run("db", "current").stdout == "none\n"
    run("db", "upgrade", REVISIONS[0])
    run("db", "upgrade", HEAD)
    run("db", "check")
    assert "Can't locate revision" in run("db", "upgrade", "nope", code=1).stderr


@pytest.mark.postgres
def test_postgres_without_auto_migrate_asks_for_the_command(fresh_postgres_url: str, tmp_path: Path) -> None:
    environment = {"GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_DATABASE_URL": fresh_postgres_url}
    run = runner({**environment, "GATEWAY_AUTO_MIGRATE": "0"})
    assert "run `gateway db upgrade`" in run("models", "list", code=1).stderr
    run("db", "upgrade")
    run("models", "list")


def test_a_newer_schema_is_told_apart_from_an_older_one(run_embedded: Run, tmp_path: Path) -> None:
    run_embedded("db", "upgrade")
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection, connection:
        connection.execute("update gateway_alembic_version set version_num = '9999'")
    told = run_embedded("db", "current")
    assert told.stdout == "9999\n"
    assert "run `pip install --upgrade litestar-gateway`" in told.stderr
    assert "gateway db upgrade" not in told.stderr


def test_a_revision_nobody_knows_is_told_with_those_there_are(run_embedded: Run) -> None:
    assert "There is no way to the revision 'x'" in run_embedded("db", "upgrade", "x", code=1).stderr


@pytest.mark.parametrize(("width", "is_table"), [(160, True), (60, False)])
def test_on_a_terminal_too_narrow_for_a_table_every_row_has_lines_of_its_own(
    tmp_path: Path, width: int, is_table: bool
) -> None:
    run = runner({"GATEWAY_DATA_DIR": str(tmp_path / "data")})
    model_id = run(*ADD).stdout.strip()
    ours, theirs = pty.openpty()
    variables = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "gateway", "models", "list"]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **variables}, stdout=theirs, timeout=60, check=True)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert model_id in shown
    assert ("┃" in shown) == is_table
    assert f"ID        {model_id}\r\n" in shown or is_table


def test_a_real_process_ends_with_the_same_codes_and_words(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "GATEWAY_DATA_DIR": str(tmp_path / "data")}
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    added = run(*ADD)
    assert (added.returncode, added.stderr) == (0, "Added the model m.\n")
    missing = run("models", "show", "x")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "Error: There is no model 'x': `gateway models list` shows all.\n"
    assert run(*ADD, "--base-url", "abc").returncode == 2


def test_a_key_is_given_limits_and_others_and_none(run: Run) -> None:
    run("keys", "create", "app", "--rpm", "60", "--concurrent", "5")
    assert "rpm 60, concurrent 5" in run("keys", "list").output
    changed = json.loads(run("keys", "set", "app", "--tpm", "1000", "--rpm", "0", "--json").stdout)
    assert changed["limits"] == {"rpm": None, "tpm": 1000, "concurrent": 5}
    assert "app (" in run("keys", "set", "app", "--tpm", "0", "--concurrent", "0").stderr
    [key] = json.loads(run("keys", "list", "--json").stdout)
    assert set(key["limits"].values()) == {None}
    assert "Nothing is to be changed" in run("keys", "set", "app", code=2).stderr


def test_a_key_may_be_detached_from_its_clients_and_back(run_embedded: Run) -> None:
    made = json.loads(run_embedded("keys", "create", "app", "--detach", "--json").stdout)
    assert made["detach"] is True
    header, row = run_embedded("keys", "list").stdout.splitlines()
    assert row[header.index("DETACH") :].startswith("yes ")
    kept = json.loads(run_embedded("keys", "set", "app", "--rpm", "7", "--json").stdout)
    assert (kept["detach"], kept["limits"]["rpm"]) == (True, 7)
    assert "rpm 7, detached." in run_embedded("keys", "set", "app", "--detach").stderr
    assert json.loads(run_embedded("keys", "rotate", "app", "--json").stdout)["detach"] is True
    changed = json.loads(run_embedded("keys", "set", "app", "--no-detach", "--json").stdout)
    assert (changed["detach"], changed["limits"]["rpm"]) == (False, 7)
