"""The way of a plugin's author, with a stopwatch: from a clean environment to a tested plugin of every kind.

python tests/author_journey.py [KIND ...]

Makes an environment of its own from the lock, installs the gateway from this checkout as a wheel, and then does for
each kind what the documentation says. Everything printed is what an author sees. `make author-journey` runs it.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = (
    *("provider", "lookup", "error-mapper", "authenticator", "limiter"),
    *("strategy", "transform", "stream-transform", "observer", "sink"),
)


class Journey:
    """A folder with an environment in it, and how long each step took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv/bin"
        self.times: list[tuple[str, float]] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTHON"))}
        self.environ = {
            **clean,
            "PATH": f"{self.bin}{os.pathsep}{clean['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "GATEWAY_DATA_DIR": str(folder / "data"),
        }

    def prepare(self) -> None:
        """The clean environment."""
        venv.create(self.folder / "venv", with_pip=True)
        self.step("pip", "install", "--quiet", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
        self.step("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", str(ROOT))

    def walk(self, kind: str) -> None:
        """From nothing to a tested plugin of that kind."""
        name = f"acme_{kind.replace('-', '_')}"
        self.step("gateway", "plugins", "new", name, "--kind", kind)
        self.step("pip", "install", "--quiet", "-e", name)
        self.step("gateway", "plugins", "check", name)
        self.step("pytest", "-q", name)

    def step(self, *command: str) -> None:
        """Run it as a shell would, and end the journey where it fails."""
        print(f"\n$ {' '.join(command)}", flush=True)
        began = time.monotonic()
        done = subprocess.run([self.bin / command[0], *command[1:]], cwd=self.folder, env=self.environ, check=False)
        self.times.append((" ".join(command), time.monotonic() - began))
        if done.returncode:
            sys.exit(f"The journey ends here: exit code {done.returncode}.")

    def tell(self) -> None:
        """What took how long."""
        print("\nseconds  command")
        for command, seconds in self.times:
            print(f"{seconds:7.1f}  {command}")
        print(f"{sum(seconds for _, seconds in self.times):7.1f}  in all")


def main() -> None:
    """Walk."""
    with tempfile.TemporaryDirectory() as folder:
        journey = Journey(Path(folder))
        journey.prepare()
        for kind in sys.argv[1:] or KINDS:
            journey.walk(kind)
        journey.tell()


if __name__ == "__main__":
    main()
