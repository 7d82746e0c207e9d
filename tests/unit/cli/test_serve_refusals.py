"""The server refuses what it cannot have, in one line; the command line starts and tells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main


def gateway(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "GATEWAY_DATA_DIR": str(folder / "data"), **environ}
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


CASES = {
    "a plugin that is not installed": (
        {"GATEWAY_PLUGINS__ACME__ENABLED": "true"},
        "Error: plugins.acme: no plugin of that name is installed",
        2,
    ),
    "a plugin that ends the process": (
        {"GATEWAY_PLUGIN_FILES": "exits.py"},
        "its code ends the process when it is imported (SystemExit)",
        1,
    ),
    "a hook that fails": (
        {"GATEWAY_PLUGIN_FILES": "fails.py"},
        "its hook 'register_limiters' failed: KeyError: 'x'",
        1,
    ),
    "a lifespan that fails": ({"GATEWAY_PLUGIN_FILES": "lives.py"}, "its lifespan failed to start: no licence", 1),
    "a wrong network": (
        {"GATEWAY_EGRESS__ALLOW": "http://x"},
        "Error: GATEWAY_EGRESS__ALLOW: 'http://x' is none of",
        2,
    ),
    "a wrong setting of a plugin": (
        {"GATEWAY_PLUGINS__OPENAI__LANE": "fast"},
        "Error: GATEWAY_PLUGINS__OPENAI__LANE: ",
        2,
    ),
    "a wrong setting of a plugin for several workers": (
        {"GATEWAY_PLUGINS__OPENAI__LANE": "fast", "WORKERS": "2"},
        "Error: GATEWAY_PLUGINS__OPENAI__LANE: ",
        2,
    ),
    "a wrong order": ({"GATEWAY_ORDER__USAGE_SINKS": "acne"}, "Error: GATEWAY_ORDER__USAGE_SINKS: no plugin", 2),
    "a wrong setting of ours": (
        {"GATEWAY_BODY_LIMIT": "many"},
        "Error: GATEWAY_BODY_LIMIT: input should be a valid integer",
        2,
    ),
}


BY_PROCESSES = ("a plugin that ends the process", "a wrong setting of a plugin for several workers")
"""The others are run in this process: to start one of its own takes ten times as long."""


@pytest.mark.parametrize("case", CASES)
def test_the_server_does_not_start_and_says_why_in_one_line(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits.py").write_text("raise SystemExit")
    head = "from gateway import hookimpl\n@hookimpl\n"
    (tmp_path / "fails.py").write_text(head + "def register_limiters(gateway): {}['x']\n")
    (tmp_path / "lives.py").write_text(
        "from contextlib import asynccontextmanager\n" + head + "@asynccontextmanager\n"
        "async def lifespan(gateway):\n    raise RuntimeError('no licence')\n    yield\n"
    )
    environ, sentence, code = dict(CASES[case][0]), *CASES[case][1:]
    arguments = ("serve", "--port", "0", "--workers", environ.pop("WORKERS", "1"))
    if case in BY_PROCESSES:
        done = gateway(tmp_path, *arguments, **environ)
        ended, told, printed = done.returncode, done.stderr, done.stdout
    else:
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(main, arguments, env={"GATEWAY_DATA_DIR": str(tmp_path / "data"), **environ})
        ended, told, printed = result.exit_code, result.stderr, result.stdout
    assert sentence in told
    assert "Traceback" not in printed + told
    assert ended == code


def test_the_command_line_starts_though_the_server_does_not(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("raise SystemExit")
    done = gateway(tmp_path, "plugins", "list", GATEWAY_PLUGIN_FILES="exits.py", GATEWAY_PLUGINS__ACME__ENABLED="true")
    assert done.returncode == 0
    assert "exits" in done.stdout
    assert "Problem: plugins.acme: no plugin of that name is installed" in done.stderr
