"""`gateway plugins config` through the command line itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

CODE = '''
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from gateway import hookimpl


class Retry(BaseModel):
    attempts: int = 3
    """How often it is tried."""


class Account(BaseModel):
    name: str
    key: SecretStr


class Settings(BaseModel, extra="forbid"):
    """How Acme is asked."""

    url: str
    """Where Acme is;
    with its scheme."""
    key: SecretStr = SecretStr("")
    tokens: tuple[SecretStr, ...] = ()
    password: str = Field(default="", repr=False)
    retry: Retry = Retry()
    hosts: dict[str, str] = Field(default_factory=dict, description="Names of hosts.")
    folder: Path = Path("cache")
    accounts: list[Account] = []
    odd: int = Field(default=1, alias="even")
    ratio: Annotated[float, Field(gt=0)] = 0.5


@hookimpl
def register_usage_sinks(gateway):
    return []
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.py").write_text(CODE)
    write(tmp_path, 'url = "https://acme.example"')
    return tmp_path


def write(folder: Path, *lines: str) -> None:
    head = 'plugin_files = ["acme.py"]\n[plugins.acme]\n'
    (folder / "gateway.toml").write_text(head + "\n".join(lines) + "\n")


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(main, ["plugins", "config", *arguments])


def keys(*arguments: str, **environ: str) -> dict[str, dict[str, Any]]:
    result = run("acme", "--json", *arguments, **environ)
    assert result.exit_code == 0, result.output
    return {row["key"].removeprefix("plugins.acme."): row for row in json.loads(result.stdout)}


def test_every_key_is_told_with_its_value_and_where_it_was_written(folder: Path) -> None:
    write(folder, 'url = "https://acme.example"', "[plugins.acme.retry]", "attempts = 7")
    found = keys(GATEWAY_PLUGINS__ACME__RATIO="0.25")
    told = {key: (row["value"], row["source"]) for key, row in found.items()}
    assert told == {
        "enabled": (True, "default"),
        "url": ("https://acme.example", "gateway.toml: plugins.acme.url"),
        "key": (None, "default"),
        "tokens": (None, "default"),
        "password": (None, "default"),
        "retry.attempts": (7, "gateway.toml: plugins.acme.retry.attempts"),
        "hosts": ({}, "default"),
        "folder": ("cache", "default"),
        "accounts": ([], "default"),
        "even": (1, "default"),
        "ratio": (0.25, "GATEWAY_PLUGINS__ACME__RATIO"),
    }
    assert found["retry.attempts"]["variable"] == "GATEWAY_PLUGINS__ACME__RETRY__ATTEMPTS"
    assert found["retry.attempts"]["default"] == 3
    assert found["url"]["required"] is True
    assert found["url"]["description"] == "Where Acme is; with its scheme."
    assert found["hosts"]["description"] == "Names of hosts."


def test_secrets_are_masked_wherever_they_stand(folder: Path) -> None:
    write(
        folder,
        'url = "https://acme.example"',
        'key = "hidden-1"',
        'tokens = ["hidden-2"]',
        'password = "hidden-3"',
        'accounts = [{name = "one", key = "hidden-4"}]',
    )
    found = keys()
    assert found["key"]["value"] == found["tokens"]["value"] == found["password"]["value"] == "********"
    assert found["accounts"]["value"] == [{"name": "one", "key": "********"}]
    for arguments in ((), ("--json",), ("--schema",), ("--markdown",)):
        assert "hidden" not in run("acme", *arguments).output


def test_a_line_says_key_value_source_and_meaning(folder: Path) -> None:
    lines = run("acme").stdout.splitlines()
    assert lines[0].split() == ["key", "value", "source", "meaning"]
    assert lines[2].split(None, 3)[:2] == ["plugins.acme.url", "https://acme.example"]
    assert lines[2].endswith("gateway.toml: plugins.acme.url  Where Acme is; with its scheme.")


def test_the_schema_holds_for_the_section(folder: Path) -> None:
    made = json.loads(run("acme", "--schema").stdout)
    assert made["required"] == ["url"]
    assert made["additionalProperties"] is False
    assert made["properties"]["enabled"]["type"] == "boolean"
    assert made["properties"]["url"]["description"] == "Where Acme is; with its scheme."
    assert made["properties"]["key"]["writeOnly"] is True


def test_schema_and_table_are_there_while_the_section_is_wrong(folder: Path) -> None:
    write(folder, "ratio = 0", 'urls = "x"')
    result = run("acme")
    assert result.exit_code == 2
    assert "gateway.toml: plugins.acme.urls: unknown key; did you mean 'url'?" in result.stderr
    assert "gateway.toml: plugins.acme.ratio: input should be greater than 0" in result.stderr
    assert "plugins.acme.url: is required" in result.stderr
    assert run("acme", "--schema").exit_code == 0
    assert "| `plugins.acme.url` | required | Where Acme is; with its scheme. |" in run("acme", "--markdown").stdout


def test_a_disabled_plugin_can_be_asked(folder: Path) -> None:
    write(folder, "enabled = false", 'url = "https://acme.example"')
    assert keys()["enabled"]["value"] is False
    assert keys()["enabled"]["source"] == "gateway.toml: plugins.acme.enabled"


def test_an_unknown_plugin_is_told_with_the_nearest(folder: Path) -> None:
    result = run("acne")
    assert (result.exit_code, result.stderr) == (1, "Error: no plugin is called 'acne'; did you mean 'acme'?\n")


def test_a_broken_plugin_is_told_with_the_reason(folder: Path) -> None:
    (folder / "acme.py").write_text("1 / 0")
    result = run("acme")
    assert result.exit_code == 1
    assert "acme.py): it cannot be imported: ZeroDivisionError: division by zero" in result.stderr


def test_a_validator_that_fails_names_no_value(folder: Path) -> None:
    (folder / "acme.py").write_text(
        "from pydantic import BaseModel, field_validator\n\nclass Settings(BaseModel):\n    url: str\n"
        "    @field_validator('url')\n    def check(cls, value): raise KeyError(value)\n"
    )
    result = run("acme")
    assert result.exit_code == 1
    assert "its 'Settings' class fails with KeyError" in result.stderr
    assert "acme.example" not in result.output


def test_nobody_is_asked_without_a_name(folder: Path) -> None:
    assert run().exit_code == 2
    assert "Which plugin?" in run().stderr
