"""docs/settings.md names every setting there is, and none that is not."""

import importlib
import re
from pathlib import Path

from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "settings.md").read_text()
UNWRITTEN = {"plugins", "warnings", "origins", "revision", "again", "egress"}
"""Fields nobody sets by that name: tables, and what loading itself finds out."""


def known() -> set[str]:
    keys = {name for name in Settings.model_fields if name not in UNWRITTEN}
    keys |= {f"egress.{name}" for name in type(Settings().egress).model_fields}
    for directory in (ROOT / "plugins").glob("gateway_*"):
        cls = getattr(importlib.import_module(directory.name), "Settings", None)
        if cls is not None:
            short = directory.name.removeprefix("gateway_")
            keys |= {f"plugins.{short}.{name}" for name in cls.model_fields}
    return keys


def test_every_setting_is_documented_and_nothing_else():
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", DOC, re.M))
    assert documented == known()
