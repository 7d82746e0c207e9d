"""What docs/testing-plugins.md shows works as shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.testing import conformance

DOC = (Path(__file__).parents[2] / "docs" / "testing-plugins.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)^```", DOC, re.M | re.S):
        (tmp_path / name).write_text(source)
    return tmp_path


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "GATEWAY_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=110)


def test_the_example_passes_its_own_test_without_any_plugin_of_pytest(folder: Path) -> None:
    done = run(folder, "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "test_acme_lines.py")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_the_example_passes_the_check(folder: Path) -> None:
    done = run(folder, "gateway", "plugins", "check", "./acme_lines.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stderr
    assert "its dialect's answer 'tool_calls_split' is not declared" in done.stdout


def test_every_class_and_every_capability_is_in_the_table() -> None:
    classes = {name: getattr(conformance, name) for name in conformance.__all__ if name.endswith("Conformance")}
    rows = {row[1]: row[0] for row in re.finditer(r"^\| `(\w+Conformance)` .*$", DOC, re.M)}
    assert rows.keys() == classes.keys()
    for name, cls in classes.items():
        assert {one for one in cls.capability_names if f"`{one}`" not in rows[name]} == set(), name
