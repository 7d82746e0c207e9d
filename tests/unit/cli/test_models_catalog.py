"""`gateway models catalog`, `models add --from-catalog`, and what `show` and `list` say of prices and context."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

Run = Callable[..., Result]
PRIVATE = ("--base-url", "http://127.0.0.1:9/v1")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["models", *arguments], env={"GATEWAY_DATA_DIR": str(tmp_path)})
        assert result.exit_code == code, result.output
        return result

    return run


def test_the_catalog_can_be_looked_into(run: Run) -> None:
    [found] = json.loads(run("catalog", "openai/gpt-4o-mini-2024-07-18.ft-", "--json").stdout)
    assert (found["provider"], found["prices"]["input"]) == ("openai", 0.3)
    assert "openai/gpt-4o-mini" in run("catalog", "GPT-4o-mini").stdout
    assert "no such model" in run("catalog", "nothing like it").stderr


def test_a_model_from_the_catalog_follows_it(run: Run) -> None:
    added = json.loads(run("add", "mini", "--from-catalog", "gpt-4o-mini", "--json").stdout)
    assert (added["model_id"], added["provider"], added["base_url"]) == (
        *("gpt-4o-mini", "openai"),
        "https://api.openai.com/v1",
    )
    assert added["prices"] == {}
    assert added["effective"] == {
        "prices": {"input": 0.15, "output": 0.6, "cache_read": 0.075, "cache_write": None},
        "prices_from": "catalog",
        "context_length": 128_000,
        "context_length_from": "catalog",
    }
    assert json.loads(run("show", "mini", "--json").stdout) == added
    assert json.loads(run("list", "--json").stdout) == [added]
    assert "input 0.15, output 0.6, cache_read 0.075 (catalog)" in run("show", "mini").stdout


def test_at_another_address_the_row_says_it_itself(run: Run) -> None:
    added = json.loads(run("add", "mini", "--from-catalog", "openai/gpt-4o-mini", *PRIVATE, "--json").stdout)
    assert (added["prices"]["output"], added["context_length"], added["provider"]) == (0.6, 128_000, "openai")
    assert (added["effective"]["prices_from"], added["effective"]["context_length_from"]) == ("model", "model")


def test_options_win_over_the_catalog(run: Run) -> None:
    given = ("--context-length", "1000", "--set", 'prices={"input": 9}', "--model-id", "gpt-4o-mini-2024-07-18")
    added = json.loads(run("add", "mini", "--from-catalog", "gpt-4o-mini", *given, "--json").stdout)
    assert added["model_id"] == "gpt-4o-mini-2024-07-18"
    assert added["effective"]["prices"] == {"input": 9.0, "output": None, "cache_read": None, "cache_write": None}
    assert (added["effective"]["prices_from"], added["effective"]["context_length"]) == ("model", 1000)


def test_a_name_with_a_date_is_asked_as_it_was_written(run: Run) -> None:
    added = json.loads(run("add", "c", "--from-catalog", "anthropic/claude-sonnet-4-5-20250929", "--json").stdout)
    assert (added["model_id"], added["provider"]) == ("claude-sonnet-4-5-20250929", "anthropic")


def test_what_nobody_knows_is_unknown(run: Run) -> None:
    run("add", "m", *PRIVATE, "--model-id", "gpt-4o-mini")
    shown = json.loads(run("show", "m", "--json").stdout)["effective"]
    assert (shown["prices_from"], shown["context_length"], shown["context_length_from"]) == ("none", None, "none")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from-catalog", "gtp-4o-mini"), "Did you mean openai/gpt-4o-mini"),
        (("--from-catalog", "xyzzy"), "`gateway models catalog SEARCH` looks for names"),
        (("--from-catalog", "novita/deepseek/deepseek-r1"), "give --base-url"),
        ((), "--from-catalog"),
    ],
)
def test_what_cannot_be_added_is_told_with_a_way_out(run: Run, arguments: tuple[str, ...], words: str) -> None:
    assert words in run("add", "m", *arguments, code=2).stderr
