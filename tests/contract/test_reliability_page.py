"""docs/reliability.md names all 52 rows of the design once, and every test and command it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text("utf-8")
INDEX = PAGE.partition("## The 52 rows\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", INDEX, re.MULTILINE)
COMMANDS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_every_row_is_named_once_and_in_order() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 53))


@pytest.mark.parametrize(("number", "shown"), [(number, shown) for number, _, shown in ROWS])
def test_what_shows_a_row_exists(number: str, shown: str) -> None:
    named = re.findall(r"`([^`]+)`", shown)
    assert named or shown == "-"
    for name in named:
        if name.startswith("make "):
            assert name.removeprefix("make ") in COMMANDS
            continue
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {test or 'test_[a-z0-9_]+'}\(", text, re.MULTILINE), f"{file} has no {test}"


def test_what_the_matrix_is_said_to_show_stands_in_it() -> None:
    matrix = PAGE.partition("<!-- the matrix begins -->")[2].partition("<!-- the matrix ends -->")[0]
    seen = set(re.findall(r"^\| (\d+) \|", matrix, re.MULTILINE))
    assert seen == {number for number, _, shown in ROWS if "`make faults`" in shown}
