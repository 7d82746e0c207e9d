"""`gateway models health` asks a running gateway, and says when none answers."""

import socket
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main


def test_without_a_running_gateway_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: refused for certain
        taken.bind(("127.0.0.1", 0))
        environ = {"GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_PORT": str(taken.getsockname()[1])}
        done = CliRunner().invoke(main, ["models", "health"], env=environ)
    assert done.exit_code != 0
    assert "No gateway answers at http://127.0.0.1:" in done.output
