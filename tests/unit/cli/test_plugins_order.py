"""`gateway plugins order` through the command line itself."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

MAPPER = """
from gateway import hookimpl

class Mapper:
    {says}
    def map(self, error, attempt): ...

@hookimpl
def register_error_mappers():
    return [Mapper()]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.py").write_text(MAPPER.format(says="after = ('second', 'openai')"))
    (tmp_path / "second.py").write_text(MAPPER.format(says="pass"))
    (tmp_path / "gateway.toml").write_text('plugin_files = ["first.py", "second.py"]\n')
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "order", *arguments])


def test_each_stage_is_told_in_the_order_to_ask_with_the_reasons(folder: Path) -> None:
    result = run("--json")
    assert result.exit_code == 0, result.output
    order = json.loads(result.stdout)
    assert order["error_mappers"] == [
        {"plugin": "second", "why": "registration", "down": 1, "up": None},
        {"plugin": "openai", "why": "registration", "down": 2, "up": None},
        {"plugin": "first", "why": "after openai, after second", "down": 3, "up": None},
    ]
    assert order["authenticators"] == [{"plugin": "keys", "why": "registration", "down": 1, "up": None}]


def test_the_operators_list_wins_and_is_told_as_the_reason(folder: Path) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write('[order]\nerror_mappers = ["openai", "first"]\n')
    lines = run().stdout.splitlines()
    assert lines[0].split() == ["stage", "down", "up", "plugin", "why"]
    assert [line.split()[1:5] for line in lines if line.startswith("error_mappers")] == [
        ["1", "-", "openai", "operator"],
        ["2", "-", "first", "operator"],
        ["3", "-", "second", "registration"],
    ]


BOTH_WAYS = """
from gateway import hookimpl

class Request:
    {says}
    async def transform(self, request, exchange): ...
    async def acquire(self, exchange): ...
    async def settle(self, exchange): ...

class Answer:
    def start(self, exchange): ...

@hookimpl
def register_request_transforms():
    return [Request()]

@hookimpl
def register_stream_transforms():
    return [Answer()]

@hookimpl
def register_limiters():
    return [Request()]
"""


def test_what_is_done_on_the_way_up_is_done_in_the_reverse_order(folder: Path) -> None:
    (folder / "first.py").write_text(BOTH_WAYS.format(says="before = ('second',)"))
    (folder / "second.py").write_text(BOTH_WAYS.format(says="pass"))
    lines = [line.split() for line in run().stdout.splitlines()]
    assert [line[1:4] for line in lines if line[0] == "request_transforms"] == [
        ["1", "-", "first"],
        ["2", "-", "second"],
    ]
    assert [line[1:] for line in lines if line[0] == "stream_transforms"] == [
        ["-", "2", "first", "registration"],
        ["-", "1", "second", "inside", "first"],
    ]
    assert [line[1:4] for line in lines if line[0] == "limiters"] == [
        ["1", "3", "first"],
        ["2", "2", "second"],
        ["3", "1", "limits"],
    ]


def test_an_order_that_cannot_be_is_told_with_its_origin(folder: Path) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write('[order]\nerror_mappers = ["opnai"]\n')
    result = run()
    assert result.exit_code == 2
    assert (
        result.stderr
        == "Error: gateway.toml: order.error_mappers: no plugin is called 'opnai'; did you mean 'openai'?\n"
    )


def test_a_cycle_is_told_by_its_names(folder: Path) -> None:
    (folder / "second.py").write_text(MAPPER.format(says="after = ('first',)"))
    result = run()
    assert result.exit_code == 1
    assert "error_mappers: the order is a cycle: " in result.stderr


@pytest.mark.parametrize(("key", "wrong"), [("error_mappers", '["a", "a"]'), ("error_mapers", "[]")])
def test_a_list_that_names_one_twice_and_a_stage_that_is_none_are_wrong_settings(
    folder: Path, key: str, wrong: str
) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write(f"[order]\n{key} = {wrong}\n")
    result = run()
    assert result.exit_code == 2
    assert f"gateway.toml: order.{key}: " in result.stderr
