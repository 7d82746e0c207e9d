"""docs/providers.md shows the providers there are, and quirks that exist."""

import re
from pathlib import Path

import msgspec
from click.testing import CliRunner

from gateway.cli import main
from gateway.domain import Quirks

PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text("utf-8")


def test_the_table_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(main, ["providers", "list", "--markdown"]).stdout
    marked = PAGE.partition("<!-- gateway providers list --markdown -->\n")[2].partition("<!-- end -->")[0]
    assert marked == printed


def test_every_quirk_is_documented_and_nothing_else() -> None:
    section = PAGE.partition("## Quirks\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z_]+)=", section, re.MULTILINE))
    assert documented == {field.name for field in msgspec.structs.fields(Quirks)}
