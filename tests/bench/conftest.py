"""The benchmark's two C programs, built as `make bench` builds them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = "needs a C compiler: apt-get install gcc libc6-dev"


@pytest.fixture(scope="session")
def bench_tools() -> None:
    """They are built; skips where there is no compiler."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        if os.environ.get("TEST_REQUIRE") == "all":
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    built = subprocess.run(
        ["make", "--silent", "bench-tools"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert built.returncode == 0, built.stderr
