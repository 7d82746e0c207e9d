"""A set-up that `gateway doctor` looks at, and whose owner does what it says."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from click.testing import CliRunner

from gateway.cli import main

Environ: TypeAlias = dict[str, str | None]


def gateway(environ: Mapping[str, str | None], *arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), env=environ)
    assert result.exit_code == 0, result.output
    return result.stdout


class Patient:
    """A set-up in a directory, looked at and repaired from one shell."""

    def __init__(self, here: Path) -> None:
        self.here = here
        gone = {name: None for name in os.environ if name.startswith("GATEWAY_") or name.lower().endswith("_proxy")}
        self.environ: Environ = {
            **gone,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GATEWAY_DATA_DIR": str(here / "data"),
            "GATEWAY_PORT": "0",
            "XDG_DATA_HOME": str(here / "share"),
        }

    def examined(self) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, findings, and all that was printed."""
        result = CliRunner().invoke(main, ["doctor", "--json"], env=self.environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        document = json.loads(result.stdout)
        assert document["ok"] is (result.exit_code == 0)
        return result.exit_code, document["findings"], result.output

    def troubles(self) -> list[dict[str, Any]]:
        """What is not ok."""
        return [finding for finding in self.examined()[1] if finding["state"] != "ok"]

    def repair(self, fix: str) -> None:
        """Paste the repair into the shell; what it exports or unsets stays."""
        known = {name: value for name, value in self.environ.items() if value is not None}
        script = f"{fix}\nstatus=$?; env -0 > environ; exit $status"
        done = subprocess.run(["bash", "-c", script], env=known, cwd=self.here, capture_output=True, text=True)
        assert done.returncode == 0, (fix, done.stderr)
        file = self.here / "environ"
        after = dict(entry.split("=", 1) for entry in file.read_text().split("\0") if entry)
        file.unlink()
        self.environ = {**dict.fromkeys(self.environ), **after}
