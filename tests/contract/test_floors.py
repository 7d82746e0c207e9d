"""Imports go down the floors only; import-linter reads the rules in pyproject.toml."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_imports_keep_the_floors() -> None:
    pytest.importorskip("importlinter", reason="pip install 'litestar-gateway[check]'")
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_default_plugin_is_held_by_the_rules() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.name for path in (ROOT / "plugins").glob("gateway_*") if path.is_dir()}
    assert {"gateway", *packages} == set(rules["root_packages"])
    reach = next(rule for rule in rules["contracts"] if rule["name"] == "Plugins import the public floors only")
    assert packages == set(reach["source_modules"])


def test_every_dialect_is_held_apart_from_the_others() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    apart = next(rule for rule in rules["contracts"] if rule["name"] == "No dialect knows another")
    dialects = {
        f"gateway.wire.{path.name}" for path in (ROOT / "gateway" / "wire").iterdir() if (path / "dialect.py").exists()
    }
    assert dialects == set(apart["modules"])
