"""`gateway secrets`, as a user runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

ADD = ("models", "add", "m", "--base-url", "https://a.example/v1", "--model-id", "gpt", "--api-key-stdin")
Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data_dir: Path) -> Run:
    """Runs a command on a new installation."""

    def run(*arguments: str, code: int = 0, env: dict[str, str] | None = None, **options: object) -> Result:
        environment = {"GATEWAY_DATA_DIR": str(data_dir), **(env or {})}
        result = CliRunner().invoke(main, list(arguments), env=environment, **options)  # type: ignore[arg-type]
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


def secrets_in(data_dir: Path) -> list[str]:
    keys: list[str] = json.loads((data_dir / "keyring").read_bytes())["keys"]
    return keys


def test_keys_are_listed_by_id_with_their_age_and_use_and_never_shown(run: Run, data_dir: Path) -> None:
    run(*ADD, input="sk-1")
    run("secrets", "rotate")
    listed = run("secrets", "list", "--json")
    newest, oldest = json.loads(listed.stdout)
    assert (newest["role"], newest["values"], oldest["role"], oldest["values"]) == ("seals", 2, "opens", 0)
    assert newest["made_at"] >= oldest["made_at"]
    shown = run("secrets", "list").output + listed.output
    assert newest["id"] in shown
    assert not any(secret in shown for secret in secrets_in(data_dir))


def test_rotation_then_pruning_leaves_one_key(run: Run, data_dir: Path) -> None:
    run(*ADD, input="sk-1")
    [old] = json.loads(run("secrets", "list", "--json").stdout)
    rotated = run("secrets", "rotate")
    assert ": 2 values sealed anew.\n`gateway secrets prune` takes" in rotated.stderr
    assert run("secrets", "prune").stderr == f"Took the key {old['id']} out of the keyring.\n"
    assert len(secrets_in(data_dir)) == 1
    assert run("secrets", "prune").stderr == "There is no older key.\n"


def test_keys_of_the_settings_are_rotated_there(run: Run, data_dir: Path) -> None:
    old, new = "o" * 32, "n" * 32
    run(*ADD, input="sk-1", env={"GATEWAY_SECRET_KEYS": json.dumps([old])})
    alone = run("secrets", "rotate", env={"GATEWAY_SECRET_KEYS": json.dumps([old])})
    assert "put a new one first in `secret_keys`" in alone.stderr
    both = {"GATEWAY_SECRET_KEYS": json.dumps([new, old])}
    assert "2 values sealed anew" in run("secrets", "rotate", env=both).stderr
    assert "take it out of `secret_keys`" in run("secrets", "prune", env=both).stderr
    run("models", "show", "m", env={"GATEWAY_SECRET_KEYS": json.dumps([new])})
    assert not (data_dir / "keyring").exists()


def test_pruning_before_rotating_is_refused(run: Run, data_dir: Path) -> None:
    run(*ADD, input="sk-1")
    content = json.loads((data_dir / "keyring").read_bytes())
    (data_dir / "keyring").write_text(json.dumps({**content, "keys": ["x" * 40, *content["keys"]]}))
    refused = run("secrets", "prune", code=1)
    assert refused.stderr.startswith("Error: 2 values are sealed with the key ")
    assert refused.stderr.endswith("run `gateway secrets rotate` first.\n")


def test_a_virtual_key_is_rotated_and_the_new_one_shown_once(run: Run) -> None:
    first = run("keys", "create", "app").stdout.strip()
    rotated = run("keys", "rotate", "app", "--overlap", "2h")
    second = rotated.stdout.removesuffix("\n")
    assert second.startswith("gw-")
    assert second != first
    assert "The old key " in rotated.stderr
    assert first not in rotated.output
    assert second not in rotated.stderr
    as_json = json.loads(run("keys", "rotate", "app", "--json").stdout)
    assert list(as_json)[:3] == ["id", "name", "secret"]
    assert (as_json["name"], as_json["replaces"]["name"]) == ("app", "app (replaced)")
    assert "There is no key 'nobody'" in run("keys", "rotate", "nobody", code=1).stderr
    assert "such as 30d" in " ".join(run("keys", "rotate", "app", "--overlap", "soon", code=2).stderr.split())
