"""What an operator writes of a model and must not: a refusal in words, and nothing is stored."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

URL = ("--base-url", "https://example.com/v1")
REFUSED = (
    (("--base-url", "not a url"), b""),
    (("--base-url", "file:///etc/passwd"), b""),
    (("--base-url", "ftp://example.com/v1"), b""),
    (("--base-url", "https://user:hunter2@example.com/v1"), b""),
    (("--base-url", ""), b""),
    (("--base-url", "https://example.com/" + "x" * 1000), b""),
    ((*URL, "--id", "abc"), b""),
    ((*URL, "--owner", "me"), b""),
    ((*URL, "--sharing", "everybody"), b""),
    ((*URL, "--context-length", "-1"), b""),
    ((*URL, "--api-key-stdin"), b"two\nlines\n"),
    ((*URL, "--api-key-stdin"), "ключ\n".encode()),
    ((*URL, "--api-key-env", "NO_SUCH_VARIABLE"), b""),
    ((*URL, "--api-key-file", "/no/such/file"), b""),
    ((*URL, "--set", "parameters=[1"), b""),
)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command on one new installation."""
    environ = {"GATEWAY_DATA_DIR": str(tmp_path)}
    return lambda *arguments, input=b"": CliRunner().invoke(main, arguments, env=environ, input=input)


def test_it_is_refused_in_words_and_nothing_is_written(run: Run) -> None:
    assert json.loads(run("models", "list", "--json").stdout) == []
    for arguments, stdin in REFUSED:
        refused = run("models", "add", "New", "--model-id", "m", *arguments, input=stdin)
        assert refused.exit_code in (1, 2), arguments
        assert refused.stderr.strip(), arguments
        assert "Traceback" not in refused.output
        assert "unexpected" not in refused.output, arguments
        assert "hunter2" not in refused.output
    assert json.loads(run("models", "list", "--json").stdout) == []


def test_one_trailing_newline_of_a_key_is_no_part_of_it(run: Run) -> None:
    added = run("models", "add", "New", "--model-id", "m", *URL, "--api-key-stdin", input=b"sk-1\n")
    assert added.exit_code == 0, added.output
    [model] = json.loads(run("models", "list", "--json").stdout)
    assert (model["name"], model["has_api_key"]) == ("New", True)
