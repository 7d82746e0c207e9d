"""docs/settings.md names every setting there is, and none that is not; its plugins' table is generated."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from pydantic import BaseModel

from gateway.cli import main
from gateway.settings import DeclaredModel, DeclaredRoute, DeclaredTarget, Settings

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "settings.md").read_text()
UNWRITTEN = {
    "models",
    "routes",
    "plugins",
    "warnings",
    "origins",
    "revision",
    "again",
    "egress",
    "order",
    "server",
    "usage",
}
"""Fields nobody sets by that name: tables, and what loading itself finds out."""


def known() -> set[str]:
    keys = {name for name in Settings.model_fields if name not in UNWRITTEN}
    keys |= {f"egress.{name}" for name in type(Settings().egress).model_fields}
    keys |= {f"models.NAME.{name}" for name in DeclaredModel.model_fields}
    keys |= {f"routes.NAME.{name}" for name in DeclaredRoute.model_fields}
    keys |= {f"routes.NAME.targets.{name}" for name in DeclaredTarget.model_fields}
    keys |= {f"server.{name}" for name in type(Settings().server).model_fields}
    keys |= {f"usage.{name}" for name in type(Settings().usage).model_fields}
    for directory in (ROOT / "plugins").glob("gateway_*"):
        cls = getattr(importlib.import_module(directory.name), "Settings", None)
        if cls is not None:
            short = directory.name.removeprefix("gateway_")
            keys |= set(fields(f"plugins.{short}", cls))
    return keys


def fields(table: str, cls: type[BaseModel]) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(f"{table}.{name}", field.annotation)
        else:
            yield f"{table}.{name}"


def test_every_setting_is_documented_and_nothing_else():
    documented = set(re.findall(r"^\| `([a-zA-Z_.]+)` \|", DOC, re.M))
    assert documented == known()


def test_every_stage_that_can_be_ordered_is_documented():
    section = DOC.partition("## Order\n")[2].partition("\n## ")[0]
    assert [stage for stage, _ in Settings().order if f"`{stage}`" not in section] == []


def test_the_plugins_table_is_what_the_command_prints():
    printed = CliRunner().invoke(main, ["plugins", "config", "--markdown"]).stdout
    marked = DOC.partition("<!-- gateway plugins config --markdown -->\n")[2].partition("<!-- end -->")[0]
    assert marked == printed
