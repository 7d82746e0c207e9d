"""The log writes only fields from its list: no call of ours names another, which would be withheld in silence."""

import ast
from pathlib import Path

import pytest

from gateway.app.log import FIELDS

ROOT = Path(__file__).parents[2]
_LEVELS = {"debug", "info", "warning", "error", "log"}
_OF_LOGGING = {"exc_info", "extra"}


def _fields(file: Path) -> set[str]:
    """The keywords of every call on something called a log."""
    return {
        keyword.arg
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS
        if ast.unparse(node.func.value).endswith("log")
        for keyword in node.keywords
        if keyword.arg is not None
    }


@pytest.mark.parametrize("folder", ["gateway", "plugins"])
def test_every_logged_field_is_one_that_may_be_written(folder: str) -> None:
    used = {field for file in (ROOT / folder).rglob("*.py") for field in _fields(file)}
    assert used - FIELDS - _OF_LOGGING == set()
    assert used & FIELDS
